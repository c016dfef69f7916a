// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/proc.h"
#include "vmm/platform/terminal.h"

#define GUARD_FD 3 /* of the guard process; the terminal is below it */

static struct {
	int fd;
	int pipe; /* write end: its closing tells the guard that we are gone */
	pid_t guard;
	struct termios saved;
} term = {.fd = -1, .pipe = -1};

/* In the guard process: wait until the VMM is gone, whichever way. */
static _Noreturn void guard_main(int pipe_fd)
{
	proc_stand_in(pipe_fd, GUARD_FD);
	proc_wait_hangup(GUARD_FD);
	tcsetattr(term.fd, TCSANOW, &term.saved);
	_exit(0);
}

static void start_guard(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		return;
	term.guard = fork();
	if (!term.guard) {
		close(fds[1]);
		guard_main(fds[0]);
	}
	close(fds[0]);
	term.pipe = fds[1];
}

void terminal_raw(int fd)
{
	struct termios raw;

	if (!isatty(fd) || tcgetattr(fd, &term.saved) < 0)
		return;
	term.fd = fd;
	start_guard();
	raw = term.saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* our own messages keep their line ends */
	tcsetattr(fd, TCSANOW, &raw);
}

void terminal_cooked(void)
{
	if (term.fd >= 0)
		tcsetattr(term.fd, TCSANOW, &term.saved);
}

void terminal_restore(void)
{
	if (term.fd < 0)
		return;
	tcsetattr(term.fd, TCSANOW, &term.saved);
	close_fd(&term.pipe);
	if (term.guard > 0)
		waitpid(term.guard, NULL, 0);
	term.fd = -1;
}
