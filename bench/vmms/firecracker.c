// SPDX-License-Identifier: MIT
/* Firecracker, told by a file instead of over its socket; virtio-mmio, or PCI where that is asked for. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *firecracker_program(void)
{
	return "firecracker";
}

static json_t *net_json(const struct vmm_want *w)
{
	return json_pack("[{s:s, s:s, s:s}]", "iface_id", "eth0", "host_dev_name", w->path->wire.tap,
			 "guest_mac", w->path->wire.mac);
}

/* It goes through the host's page cache: Firecracker has no other way. */
static json_t *drive_json(const struct vmm_want *w)
{
	const char *engine = "Async";

	if (w->path->mode->server == SERVER_HELPER)
		return json_pack("[{s:s, s:b, s:s, s:s}]", "drive_id", "disk", "is_root_device", 0,
				 "cache_type", "Writeback", "socket", w->path->socket);
	if (!strcmp(knobs_get(w->knobs, "engine", ""), "sync"))
		engine = "Sync";
	return json_pack("[{s:s, s:b, s:b, s:s, s:s, s:s}]", "drive_id", "disk", "is_root_device", 0,
			 "is_read_only", 0, "path_on_host", w->path->medium.path, "cache_type", "Writeback",
			 "io_engine", engine);
}

static json_t *config_json(const struct vmm_want *w)
{
	json_t *boot = json_pack("{s:o, s:s}", "kernel_image_path", json_sprintf("%s/vmlinux", w->kernel),
				 "boot_args", w->cmdline);
	json_t *all =
		json_pack("{s:o, s:{s:i, s:I}, s:[]}", "boot-source", boot, "machine-config", "vcpu_count",
			  (int)w->cpus, "mem_size_mib", (json_int_t)(w->mem_bytes / MIB), "drives");

	if (w->initrd)
		json_object_set_new(boot, "initrd_path", json_string(w->initrd));
	if (w->path->mode->front == FRONT_VIRTIO_BLK)
		json_object_set_new(all, "drives", drive_json(w));
	if (w->path->mode->front == FRONT_VIRTIO_NET)
		json_object_set_new(all, "network-interfaces", net_json(w));
	return all;
}

/* Its name into *path (caller frees), which is told only where there is a directory for it. */
static int write_config(const struct vmm_want *w, char **path)
{
	json_t *config = config_json(w);
	char *text = json_dumps(config, JSON_INDENT(1));
	int err = 0;

	*path = xasprintf("%s/firecracker.json", text_or(w->log_dir, ""));
	if (w->log_dir)
		err = file_write_atomic(*path, text, strlen(text));
	if (err)
		log_error("%s: %s", *path, strerror(-err));
	free(text);
	json_decref(config);
	return err;
}

static int firecracker_check(const struct vmm_want *w)
{
	const struct mode *mode = w->path->mode;
	struct strbuf none = STRBUF_INIT;
	bool net = mode->front == FRONT_VIRTIO_NET && mode->server == SERVER_VMM;
	bool disk = mode->front == FRONT_VIRTIO_BLK &&
		    (mode->server == SERVER_VMM || mode->server == SERVER_HELPER);

	if (vmm_refuse_variant(&adapter_firecracker, w))
		return -ENOTSUP;
	if (!net && !disk && mode->front != FRONT_NONE)
		return vmm_refuse_mode(&adapter_firecracker, mode);
	return vmm_spell_knobs(&adapter_firecracker, w, &none);
}

static int firecracker_command(const struct vmm_want *w, struct strlist *a)
{
	int err = firecracker_check(w);
	char *config = NULL;

	if (!err)
		err = write_config(w, &config);
	if (!err) {
		strlist_add(a, w->program);
		strlist_add(a, "--no-api");
		strlist_add(a, "--level");
		strlist_add(a, "Error");
		strlist_add(a, "--config-file");
		strlist_add(a, config);
		if (!vmm_uses_mmio(&adapter_firecracker, w->knobs))
			strlist_add(a, "--enable-pci");
	}
	free(config);
	return err;
}

const struct vmm_adapter adapter_firecracker = {
	.name = "firecracker",
	.summary = "Firecracker, virtio-mmio; --set transport=pci gives it a PCIe bus",
	.channel = AGENT_STDIO,
	.vcpu_thread = "fc_vcpu ",
	.guests = GUEST_LINUX,
	.cmdline = "reboot=k i8042.noaux i8042.nomux i8042.dumbkbd " VMM_RESET,
	.opens_tap = true,
	.transports = "mmio|pci",
	.spellings = (const struct knob_spelling[]){{"engine", NULL}, {NULL, NULL}},
	.lacks = "vhost in the kernel, vhost-user for networks, VFIO, vDPA, vhost-scsi, e1000, nvme, ide",
	.program = firecracker_program,
	.version_word = "--version",
	.get = VMM_GET("EXITLAB_FIRECRACKER", "firecracker"),
	.command = firecracker_command,
};
