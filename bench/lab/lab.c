// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "bench/host/outer.h"
#include "bench/lab/lab_impl.h"
#include "bench/host/paths.h"

#define POWER_OFF_NS (10 * NSEC_PER_SEC)

const char *lab_substrate(void)
{
	const char *lab = outer_told().lab;
	const struct machine *m = NULL;

	if (lab)
		m = machine_find(lab);
	if (!m)
		return "host";
	return m->substrate;
}

char *lab_missing(const struct machine *m, char **version)
{
	char *why = (m ? m : machine_table[0])->missing(version);
	char *kernel = xasprintf("%s/kernels/default/vmlinux", path_cache());

	if (!why && !file_exists(kernel))
		why = xasprintf("no unpacked kernel in %s; run %s", path_cache(), path_setup());
	free(kernel);
	return why;
}

/* When the caller sets no limit, this one holds for the boot alone. */
static uint64_t lab_limit(const struct lab_spec *spec)
{
	return or_usual(spec->timeout_ns, or_usual(spec->cpu_ns, BOOT_TIMEOUT_NS));
}

static char *fd_text(int fd)
{
	struct strbuf sb = STRBUF_INIT;
	char buf[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		strbuf_add(&sb, buf, (size_t)n);
	return strbuf_take(&sb);
}

/* The line of text that holds key, or NULL. Cuts the text there. */
static const char *line_with(char *text, const char *key)
{
	char *at = strstr(text, key);

	if (at)
		at[strcspn(at, "\r\n")] = '\0';
	return at;
}

/* The last line of text that is not blank. */
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	char *nl;

	while (len && strchr("\r\n ", text[len - 1]))
		text[--len] = '\0';
	nl = strrchr(text, '\n');
	if (!nl)
		return text;
	return nl + 1;
}

/*
 * A whole console is too much for a message: it is kept where the lab's images are, until the next failure.
 */
static char *keep_console(const char *console)
{
	char *path = xasprintf("%s/lab/console.log", path_cache());
	char *where;

	if (file_write_atomic(path, console, strlen(console)))
		where = xstrdup("");
	else
		where = xasprintf("; the console is in %s", path);
	free(path);
	return where;
}

static void explain_failure(struct lab *lab)
{
	char *console = fd_text(lab->console_fd), *elog = fd_text(lab->log_fd);
	bool plain = lab->interrupts || (lab->timed_out && lab->ready);
	char *where = plain ? xstrdup("") : keep_console(console);
	const char *panic = line_with(console, "Kernel panic"), *own = line_with(console, "lab: ");
	const char *limit = fmt_ns((double)lab_limit(lab->spec));

	if (lab->timed_out && (lab->ready || lab->channel == LAB_LEAVES))
		log_error("lab: timed out after %s; see --timeout%s", limit, where);
	else if (lab->timed_out)
		log_error("lab: timed out after %s, before it was up%s", limit, where);
	else if (lab->silent)
		log_error("lab: its kernel hangs (no sign of life for a minute)%s", where);
	else if (lab->interrupts)
		log_error("lab: interrupted");
	else if (panic)
		log_error("lab: its kernel panicked: %s%s", panic, where);
	else if (own)
		log_error("lab: ended early: %s%s", own + strlen("lab: "), where);
	else if (!lab->ready)
		log_error("lab: %s ended before the lab was up: %s", lab->machine->emulator, last_line(elog));
	else
		log_error("lab: the machine ended before the command did: %s%s", last_line(elog), where);
	free(where);
	free(console);
	free(elog);
}

static void lab_open(struct lab *lab, const struct lab_spec *spec)
{
	const struct machine *m = spec->machine ? spec->machine : machine_table[0];

	*lab = (struct lab){.spec = spec, .machine = m, .emulator = PROC_INIT};
	lab->ctl_fd = lab->image_fd = lab->stdin_fd = -1;
	lab->channel = m->channel;
	if (spec->deterministic)
		lab->channel = m->deterministic_channel;
	lab->mem_mib = or_usual(spec->mem_mib, m->mem_mib);
	lab->console_fd = memfd_create("lab-console", MFD_CLOEXEC);
	lab->log_fd = memfd_create("lab-emulator", MFD_CLOEXEC);
	if (spec->timeout_ns || lab->channel != LAB_SPEAKS)
		lab->deadline_ns = clock_ns() + lab_limit(spec);
	if (spec->pass_stdin && lab->channel == LAB_TALKS)
		lab->stdin_fd = STDIN_FILENO;
	lab_catch_signals(lab);
}

static void lab_close(struct lab *lab)
{
	proc_end(&lab->emulator, 0);
	close_fd(&lab->ctl_fd);
	close_fd(&lab->console_fd);
	close_fd(&lab->log_fd);
	close_fd(&lab->signal_fd);
	strbuf_free(&lab->inbox);
	strbuf_free(&lab->outbox);
	sigprocmask(SIG_SETMASK, &lab->saved_signals, NULL);
}

/* Until the command has ended, and the machine, too, where that leaves something behind. */
static int lab_serve(struct lab *lab)
{
	int err = lab_session(lab);

	if (err || lab->timed_out)
		explain_failure(lab);
	if (err && lab->ready && !lab->timed_out && !lab->interrupts)
		return -EHOSTDOWN;
	if (!err && lab->channel == LAB_TALKS && proc_wait(&lab->emulator, POWER_OFF_NS) == -ETIMEDOUT)
		log_warn("lab: did not power off; ended");
	return err;
}

int lab_run(const struct lab_spec *spec, int *status)
{
	struct lab lab;
	char *why = lab_missing(spec->machine, NULL);
	int err;

	*status = EXIT_CANNOT;
	if (why) {
		log_error("lab: %s", why);
		free(why);
		return -ENOENT;
	}
	lab_open(&lab, spec);
	err = lab_start(&lab);
	if (!err)
		err = lab_serve(&lab);
	if (lab.timed_out)
		*status = 124; /* as timeout(1) */
	else if (!err || lab.interrupts)
		*status = lab.status;
	lab_close(&lab);
	return err;
}
