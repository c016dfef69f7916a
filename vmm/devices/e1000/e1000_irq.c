// SPDX-License-Identifier: MIT
/* Interrupt causes: when the line rises, and what delays it (ITR and the delay registers). */
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "vmm/devices/e1000/e1000.h"

#define ITR_UNIT_NS   256
#define DELAY_UNIT_NS 1024

/* All static functions here run under irq_lock. */

static void set_line(struct e1000 *e)
{
	bool level = e1000_get(e, ICR) & e1000_get(e, IMS);

	if (level == e->line)
		return;
	e->line = level;
	if (level)
		e1000_stat(&e->rx_stats->interrupts, 1);
	pci_irq_intx(e->pci, level);
}

static uint64_t throttle_ns(const struct e1000 *e)
{
	uint64_t itr = (uint64_t)(e1000_get(e, ITR) & 0xffff) * ITR_UNIT_NS;

	if (!e->coalesce)
		return 0;
	return MAX(itr, e->coalesce_ns);
}

static void arm_timer(struct e1000 *e, uint64_t at)
{
	struct itimerspec it = {
		.it_value = {(time_t)(at / NSEC_PER_SEC), (long)(at % NSEC_PER_SEC)}};

	if (e->timer_ns && e->timer_ns <= at)
		return;
	e->timer_ns = at;
	timerfd_settime(e->timer_fd, TFD_TIMER_ABSTIME, &it, NULL);
}

/* The causes are in ICR already; the line is raised now, or when ITR allows it. */
static void deliver_causes(struct e1000 *e)
{
	uint64_t now;

	if (e->line || !(e1000_get(e, ICR) & e1000_get(e, IMS)))
		return;
	if (!throttle_ns(e)) {
		set_line(e);
		return;
	}
	now = clock_ns();
	if (now < e->next_irq_ns) {
		e1000_stat(&e->rx_stats->suppressed, 1);
		arm_timer(e, e->next_irq_ns);
		return;
	}
	e->next_irq_ns = now + throttle_ns(e);
	set_line(e);
}

static void raise_locked(struct e1000 *e, uint32_t cause)
{
	e1000_set(e, ICR, e1000_get(e, ICR) | cause);
	deliver_causes(e);
}

void e1000_irq_raise(struct e1000 *e, uint32_t cause)
{
	pthread_mutex_lock(&e->irq_lock);
	raise_locked(e, cause);
	pthread_mutex_unlock(&e->irq_lock);
}

static uint64_t delay_at(const struct e1000_delay_state *d)
{
	return MIN(or_usual(d->absolute_ns, UINT64_MAX), d->packet_ns);
}

void e1000_irq_raise_delayed(struct e1000 *e, uint32_t cause, enum e1000_delay which)
{
	static const uint32_t packet_reg[DELAYS] = {[DELAY_TX] = TIDV, [DELAY_RX] = RDTR};
	static const uint32_t absolute_reg[DELAYS] = {[DELAY_TX] = TADV, [DELAY_RX] = RADV};
	uint64_t packet = e1000_get(e, packet_reg[which]) & 0xffff;
	uint64_t absolute = e1000_get(e, absolute_reg[which]) & 0xffff, now;
	struct e1000_delay_state *d = &e->delay[which];

	if (!e->coalesce || !packet) {
		e1000_irq_raise(e, cause);
		return;
	}
	now = clock_ns();
	pthread_mutex_lock(&e->irq_lock);
	if (!d->armed) {
		d->armed = true;
		d->absolute_ns = 0;
		if (absolute)
			d->absolute_ns = now + absolute * DELAY_UNIT_NS;
	}
	d->packet_ns = now + packet * DELAY_UNIT_NS;
	arm_timer(e, delay_at(d));
	pthread_mutex_unlock(&e->irq_lock);
}

void e1000_irq_timer(void *arg, uint32_t events)
{
	static const uint32_t cause[DELAYS] = {ICR_TXDW, ICR_RXT0};
	struct e1000 *e = arg;
	uint64_t expirations, now, next = 0;

	(void)events;
	if (read(e->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	pthread_mutex_lock(&e->irq_lock);
	now = clock_ns();
	e->timer_ns = 0;
	for (int i = 0; i < DELAYS; i++) {
		struct e1000_delay_state *d = &e->delay[i];

		if (d->armed && delay_at(d) <= now) {
			d->armed = false;
			e1000_set(e, ICR, e1000_get(e, ICR) | cause[i]);
		} else if (d->armed && (!next || delay_at(d) < next)) {
			next = delay_at(d);
		}
	}
	if (next)
		arm_timer(e, next);
	deliver_causes(e);
	pthread_mutex_unlock(&e->irq_lock);
}

/* Reading takes all causes and with them every delayed one. */
uint32_t e1000_icr_read(struct e1000 *e)
{
	uint32_t v;

	pthread_mutex_lock(&e->irq_lock);
	v = e1000_get(e, ICR);
	e1000_set(e, ICR, 0);
	set_line(e);
	pthread_mutex_unlock(&e->irq_lock);
	return v | bits_if(v & e1000_get(e, IMS), 1u << 31);
}

void e1000_icr_write(struct e1000 *e, uint32_t clear)
{
	pthread_mutex_lock(&e->irq_lock);
	e1000_set(e, ICR, e1000_get(e, ICR) & ~clear);
	set_line(e);
	pthread_mutex_unlock(&e->irq_lock);
}

void e1000_ims_write(struct e1000 *e, uint32_t set, uint32_t clear)
{
	pthread_mutex_lock(&e->irq_lock);
	e1000_set(e, IMS, (e1000_get(e, IMS) | set) & ~clear);
	if (set)
		deliver_causes(e);
	else
		set_line(e);
	pthread_mutex_unlock(&e->irq_lock);
}

void e1000_irq_reset(struct e1000 *e)
{
	pthread_mutex_lock(&e->irq_lock);
	e1000_set(e, ICR, 0);
	e1000_set(e, IMS, 0);
	for (int i = 0; i < DELAYS; i++)
		e->delay[i].armed = false;
	e->next_irq_ns = 0;
	set_line(e);
	pthread_mutex_unlock(&e->irq_lock);
}
