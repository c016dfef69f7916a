// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/plan/sides.h"

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool is_there(const char *path)
{
	return *path && !access(path, F_OK);
}

/* A program, or the directory of a build, whose helper comes with it. */
static int side_take_program(struct side *s, const struct vmm_adapter *vmm, const char *path)
{
	char *real = realpath(path, NULL), *program;

	if (!real) {
		log_error("%s: %s: %s", vmm->name, path, strerror(errno));
		return -EINVAL;
	}
	program = xstrdup(real);
	if (is_dir(real) && vmm->ours) {
		free(program);
		program = xasprintf("%s/vmm", real);
		s->programs.helper_dir = xstrdup(real);
	}
	if (access(program, X_OK) || is_dir(program)) {
		log_error("%s: %s is no program; give its path%s", vmm->name, program,
			  text_if(vmm->ours, " or that of a build directory"));
		free(program);
		free(real);
		return -EINVAL;
	}
	s->programs.vmm = program;
	s->args.vmms = vmm->name;
	free(s->text);
	s->text = xasprintf("%s:%s", vmm->name, real);
	free(real);
	return 0;
}

/* The list grows by the side's; the plan's own is not touched. */
static void side_add_set(struct side *s, const char *item)
{
	struct opt_list *set = &s->args.set;

	set->item = xgrow(set->item, set->n, sizeof(*set->item));
	set->item[set->n++] = item;
}

static int side_take_settings(struct side *s, const char *text)
{
	char *copy = xstrdup(text), *save;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (!strchr(w, '=')) {
			log_error("%s: expected knob=value[,knob=value...]", text);
			free(copy);
			return -EINVAL;
		}
		side_add_set(s, xstrdup(w));
	}
	free(copy);
	return 0;
}

static void side_copy_set(struct side *s, const struct run_args *args)
{
	s->args.set = (struct opt_list){NULL, 0};
	for (size_t i = 0; i < args->set.n; i++)
		side_add_set(s, xstrdup(args->set.item[i]));
}

int side_parse(struct side *s, const char *text, const struct run_args *args)
{
	size_t len = strcspn(text, ":=");
	const struct vmm_adapter *vmm = vmm_adapter_find(text, len);
	const char *rest = text[len] ? text + len + 1 : "";

	*s = (struct side){.text = xstrdup(text), .args = *args};
	side_copy_set(s, args);
	if (text[len] == '=')
		return side_take_settings(s, text);
	if (vmm && (strchr(rest, '/') || is_there(rest)))
		return side_take_program(s, vmm, rest);
	if (vmm) {
		s->args.vmms = s->text;
		return 0;
	}
	if (!strncmp(text, "kernel:", 7) && *rest) {
		s->args.kernel = s->programs.kernel = s->text + 7;
		return 0;
	}
	log_error("%s: expected VMM[:PATH], kernel:NAME or knob=value; see bench ab --help", text);
	return -EINVAL;
}

void side_free(struct side *s)
{
	for (size_t i = 0; i < s->args.set.n; i++)
		free((char *)s->args.set.item[i]);
	free(s->args.set.item);
	free((char *)s->programs.vmm);
	free((char *)s->programs.helper_dir);
	free(s->text);
	*s = (struct side){0};
}

int side_plan(struct plan *p, const char *workload, const struct side *s)
{
	int err = plan_make(p, workload, &s->args);

	if (!err && p->n_cells != 1) {
		log_error("ab: %s has %zu paths; name one mode, VMM and value of each knob", s->text, p->n_cells);
		err = -EINVAL;
	}
	if (!err)
		p->cell[0].programs = s->programs;
	return err;
}

void sides_join(struct plan *p, const struct plan alone[2], const struct run_args *args)
{
	*p = (struct plan){.args = args, .seed = alone[0].seed, .n_cells = 2};
	p->cell = xcalloc(p->n_cells, sizeof(*p->cell));
	for (size_t i = 0; i < p->n_cells; i++) {
		p->cell[i] = alone[i].cell[0];
		/* In one plan it is unique, and two builds have the same. */
		p->cell[i].label = xasprintf("%c %s", "AB"[i], alone[i].cell[0].label);
	}
}

void sides_free(struct plan *p)
{
	for (size_t i = 0; i < p->n_cells; i++)
		free(p->cell[i].label);
	free(p->cell);
	free(p->step);
}
