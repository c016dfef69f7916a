// SPDX-License-Identifier: MIT
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/power.h"
#include "analysis/stats.h"
#include "base/number.h"
#include "base/rng.h"

#define REPETITIONS 1000
#define FEW_PAIRS   400 /* 20 boots a side; with more, what is normal is near enough and needs no sorting */

static double sum_of_squares(const double *x, size_t n)
{
	double mean = stats_mean(x, n), sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return sum;
}

double power_log_sd(const double *a, size_t na, const double *b, size_t nb)
{
	double *v = xcalloc(na + nb, sizeof(*v)), df = (double)(na + nb) - 2, sd;

	for (size_t i = 0; i < na; i++)
		v[i] = log(a[i]);
	for (size_t i = 0; i < nb; i++)
		v[na + i] = log(b[i]);
	sd = sqrt((sum_of_squares(v, na) + sum_of_squares(v + na, nb)) / df);
	free(v);
	return finite_or(sd * (1 + 0.5 / df), NAN);
}


static void draw_normal(struct rng *r, double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = rng_normal(r);
}

/* All a - b, sorted: after a shift of b by s as many pairs have b below a as differences exceed s. */
static void pair_differences(double *d, const double *a, size_t na, const double *b, size_t nb)
{
	for (size_t i = 0; i < na; i++)
		for (size_t j = 0; j < nb; j++)
			d[i * nb + j] = a[i] - b[j];
	qsort(d, na * nb, sizeof(*d), stats_by_value);
}

/* The efficiency of the rank sum test is 3 / pi of that of the means. */
static double normal_shift(size_t na, size_t nb, double p)
{
	double z = gsl_cdf_ugaussian_Qinv(p / 2) + gsl_cdf_ugaussian_Pinv(POWER_WANTED);

	return z * sqrt(M_PI / 3 * (1 / (double)na + 1 / (double)nb));
}

double power_rank_shift(size_t na, size_t nb, double p)
{
	size_t pairs = na * nb, cut = stats_rank_cut(na, nb, p / 2);
	double *d, *x, *needed, shift;
	struct rng r;

	if (!cut)
		return INFINITY;
	if (pairs > FEW_PAIRS)
		return normal_shift(na, nb, p);
	d = xcalloc(pairs, sizeof(*d));
	x = xcalloc(na + nb, sizeof(*x));
	needed = xcalloc(REPETITIONS, sizeof(*needed));
	rng_seed(&r, 1);
	for (size_t i = 0; i < REPETITIONS; i++) {
		draw_normal(&r, x, na + nb);
		pair_differences(d, x, na, x + na, nb);
		needed[i] = d[pairs - cut];
	}
	shift = stats_quantile(needed, REPETITIONS, POWER_WANTED);
	free(d);
	free(x);
	free(needed);
	return shift;
}

/* ---- a gate ---- */

#define GATES	   400
#define GATE_BOOTS 20 /* more of them are as many that vary less */

/* A sample of a simulated gate: so many boots, so much noise. */
struct side {
	size_t n;
	double sd, x[2 * GATE_BOOTS];
};

static struct side make_side(size_t boots, size_t most, double sd)
{
	struct side s = {.n = MIN(boots, most)};

	s.sd = sd * sqrt((double)s.n / (double)boots);
	return s;
}

static void draw_side(struct side *s, double between, struct rng *r)
{
	double run = between > 0 ? between * rng_normal(r) : 0;

	draw_normal(r, s->x, s->n);
	for (size_t i = 0; i < s->n; i++)
		s->x[i] = run + s->sd * s->x[i];
}

/* How far b has to be shifted for the gate to find it worse than a, with the test at p or (NAN) without
 * it. */
static double shift_needed(const struct side *a, const struct side *b, double p, const struct power_gate *g,
			   double *d)
{
	size_t pairs = a->n * b->n, ends = stats_rank_cut(a->n, b->n, 0.025);
	struct interval ratio;
	double point, needed, unused = 0;

	pair_differences(d, a->x, a->n, b->x, b->n);
	point = -stats_quantile(d, pairs, 0.5);
	ratio = (struct interval){exp(point), exp(-d[pairs - ends]), exp(-d[ends - 1]), MIN(a->n, b->n)};
	needed = g->floor - point;
	if (!isnan(p))
		needed = fmax(needed, d[pairs - stats_rank_cut(a->n, b->n, p / 2)]);
	if (!isnan(p) && g->between.sd > 0) {
		struct spread_error e = spread_error(&g->between, &ratio, a->n, b->n);

		needed = fmax(needed, e.error * gsl_cdf_tdist_Qinv(p / 2, e.df) - point);
	}
	spread_widen(&g->between, &ratio, a->n, b->n, &unused);
	return fmax(needed, -log(ratio.low));
}

double power_gate_shift(const struct power_gate *g)
{
	struct side base = make_side(g->base, GATE_BOOTS, g->log_sd),
		    screen = make_side(g->screen, GATE_BOOTS, g->log_sd),
		    confirm = make_side(g->confirm, 2 * GATE_BOOTS, g->log_sd);
	double needed[GATES], *d;
	struct rng r;

	if (!stats_rank_cut(base.n, screen.n, g->cut / 2))
		return INFINITY;
	d = xcalloc(base.n * MAX(screen.n, confirm.n), sizeof(*d));
	rng_seed(&r, 1);
	for (size_t i = 0; i < GATES; i++) {
		draw_side(&base, g->between.sd, &r);
		draw_side(&screen, g->between.sd, &r);
		draw_side(&confirm, g->between.sd, &r);
		needed[i] = fmax(shift_needed(&base, &screen, g->cut, g, d),
				 shift_needed(&base, &confirm, NAN, g, d));
	}
	free(d);
	return stats_quantile(needed, GATES, POWER_WANTED);
}
