// SPDX-License-Identifier: MIT
/* Module files are plain in Debian 12; Debian 13 packs them with xz, Ubuntu with zstd. */
#include <endian.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/log.h"
#include "workloads/modules.h"

#define MODULE_MAX (64 * MIB)

static int unpack_xz(const struct strbuf *in, struct strbuf *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	uint8_t chunk[65536];
	lzma_ret ret;

	if (lzma_stream_decoder(&s, MODULE_MAX, LZMA_CONCATENATED) != LZMA_OK)
		return -ENOMEM;
	s.next_in = (const uint8_t *)in->buf;
	s.avail_in = in->len;
	do {
		s.next_out = chunk;
		s.avail_out = sizeof(chunk);
		ret = lzma_code(&s, LZMA_FINISH);
		strbuf_add(out, chunk, sizeof(chunk) - s.avail_out);
	} while (ret == LZMA_OK && out->len < MODULE_MAX);
	lzma_end(&s);
	if (ret != LZMA_STREAM_END)
		return -EBADMSG;
	return 0;
}

static int unpack_zstd(const struct strbuf *in, struct strbuf *out)
{
	ZSTD_DStream *ds = ZSTD_createDStream();
	ZSTD_inBuffer src = {in->buf, in->len, 0};
	char chunk[65536];
	size_t left = 1;

	while (ds && src.pos < src.size && !ZSTD_isError(left) && out->len < MODULE_MAX) {
		ZSTD_outBuffer dst = {chunk, sizeof(chunk), 0};

		left = ZSTD_decompressStream(ds, &dst, &src);
		strbuf_add(out, chunk, dst.pos);
	}
	while (ds && left && !ZSTD_isError(left)) {
		ZSTD_outBuffer dst = {chunk, sizeof(chunk), 0};

		left = ZSTD_decompressStream(ds, &dst, &src);
		strbuf_add(out, chunk, dst.pos);
		if (!dst.pos)
			break;
	}
	ZSTD_freeDStream(ds);
	if (!ds || left)
		return -EBADMSG;
	return 0;
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a >= b && !strcmp(s + a - b, suffix);
}

struct signature_info {
	uint8_t algo, hash, id_type, signer_len, key_id_len, pad[3];
	uint32_t sig_len; /* big-endian */
};

/*
 * Without its signature a module is not hashed when it is loaded: 110 instructions a byte, half of what
 * loading kvm costs in a machine that takes 10 ns for each. Kernels that insist on signatures do not run
 * here.
 */
static size_t unsigned_len(const char *data, size_t len)
{
	static const char magic[] = "~Module signature appended~\n";
	size_t tail = sizeof(magic) - 1 + sizeof(struct signature_info), sig_len;
	struct signature_info info;

	if (len < tail || memcmp(data + len - (sizeof(magic) - 1), magic, sizeof(magic) - 1) != 0)
		return len;
	memcpy(&info, data + len - tail, sizeof(info));
	sig_len = be32toh(info.sig_len);
	return sig_len <= len - tail ? len - tail - sig_len : len;
}

int module_read(const char *moddir, const char *path, void **data, size_t *len)
{
	struct strbuf raw = STRBUF_INIT, out = STRBUF_INIT;
	char *full = xasprintf("%s/%s", moddir, path);
	int err = file_read(full, &raw);

	if (!err && has_suffix(path, ".xz"))
		err = unpack_xz(&raw, &out);
	else if (!err && has_suffix(path, ".zst"))
		err = unpack_zstd(&raw, &out);
	else if (!err)
		strbuf_add(&out, raw.buf, raw.len);
	if (err)
		log_error("%s: cannot be read: %s", full, strerror(-err));
	*len = unsigned_len(strbuf_str(&out), out.len);
	*data = NULL;
	if (!err)
		*data = strbuf_take(&out);
	strbuf_free(&out);
	strbuf_free(&raw);
	free(full);
	return err;
}
