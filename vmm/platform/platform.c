// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/platform/channel.h"
#include "vmm/platform/fw_cfg.h"
#include "vmm/platform/platform.h"
#include "vmm/platform/pm.h"
#include "vmm/platform/ports.h"
#include "vmm/platform/serial.h"
#include "vmm/platform/terminal.h"

#define PORTS 2

struct platform {
	struct evloop *loop; /* the serial ports' other ends */
	struct channel *channel[PORTS];
	struct serial *serial[PORTS];
	struct pm *pm;
	struct rtc *rtc;
	struct i8042 *i8042;
	struct fw_cfg *fw_cfg;
};

static int add_serial(struct platform *p, struct vm *vm, int i, const char *what, const char *spec)
{
	static const struct {
		const char *name;
		uint16_t port;
		unsigned gsi;
	} com[PORTS] = {{"COM1", 0x3f8, 4}, {"COM2", 0x2f8, 3}};
	int err = channel_open(&p->channel[i], p->loop, what, spec);

	if (err)
		return err;
	return serial_create(&p->serial[i], vm, com[i].name, com[i].port, com[i].gsi, p->channel[i]);
}

int platform_create(struct platform **out, struct vm *vm, const struct platform_opts *opts)
{
	struct platform *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	if (!strcmp(opts->console, "stdio"))
		terminal_raw(0);
	err = evloop_create(&p->loop, vm_threads(vm), THREAD_IO, "serial");
	if (!err)
		err = add_serial(p, vm, 0, "console", opts->console);
	if (!err)
		err = add_serial(p, vm, 1, "agent channel", opts->agent);
	if (!err)
		err = pm_create(&p->pm, vm);
	if (!err)
		err = rtc_create(&p->rtc, vm);
	if (!err)
		err = i8042_create(&p->i8042, vm);
	if (!err)
		err = fw_cfg_create(&p->fw_cfg, vm, opts->image);
	if (!err)
		err = ports_init(vm);
	if (err) {
		platform_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void platform_reset(struct platform *p)
{
	for (int i = 0; i < PORTS; i++)
		serial_reset(p->serial[i]);
	pm_reset(p->pm);
	rtc_reset(p->rtc);
	i8042_reset(p->i8042);
	fw_cfg_reset(p->fw_cfg);
}

void platform_flush(struct platform *p)
{
	for (int i = 0; i < PORTS; i++)
		channel_flush(p->channel[i]);
	terminal_cooked();
}

void platform_destroy(struct platform *p)
{
	if (!p)
		return;
	/* Channels first: their input goes to the serial ports. */
	for (int i = 0; i < PORTS; i++)
		channel_close(p->channel[i]);
	for (int i = 0; i < PORTS; i++)
		serial_destroy(p->serial[i]);
	pm_destroy(p->pm);
	rtc_destroy(p->rtc);
	i8042_destroy(p->i8042);
	fw_cfg_destroy(p->fw_cfg);
	evloop_destroy(p->loop);
	terminal_restore();
	free(p);
}
