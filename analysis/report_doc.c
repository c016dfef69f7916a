// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/assets.h"
#include "analysis/report_doc.h"
#include "base/escape.h"

/* One text between what opens and closes it in each format. */
static void add_between(struct doc *d, const char *const open[3], const char *text,
			const char *const close[3])
{
	strbuf_adds(&d->out, open[d->format]);
	escape_text(&d->out, (enum language)d->format, text);
	strbuf_adds(&d->out, close[d->format]);
}

static void add_each(struct doc *d, const char *html, const char *md, const char *tex)
{
	const char *const text[] = {html, md, tex};

	strbuf_adds(&d->out, text[d->format]);
}

void doc_begin(struct doc *d, enum doc_format format, const char *title)
{
	static const char *const open[] = {"</style>\n<title>", "# ", "\\title{"};
	static const char *const close[] = {"</title>\n</head>\n<body>\n<main>\n", "\n\n",
					    "}\n\\date{}\n\\begin{document}\n\\maketitle\n"};

	*d = (struct doc){.format = format};
	if (format == DOC_HTML)
		strbuf_addf(
			&d->out,
			"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
			"<style>\n%s",
			asset_report_css);
	if (format == DOC_TEX)
		strbuf_adds(
			&d->out,
			"\\documentclass[10pt]{article}\n\\usepackage[utf8]{inputenc}\n"
			"\\IfFileExists{lmodern.sty}{\\usepackage{lmodern}\\usepackage[T1]{fontenc}}{}\n"
			"\\usepackage{array}\\usepackage{booktabs}\\usepackage{longtable}\n\\usepackage{graphicx}\n"
			"\\usepackage[margin=2.5cm]{geometry}\n"
			"\\DeclareUnicodeCharacter{00D7}{\\ensuremath{\\times}}\n"
			"\\setlength{\\parindent}{0pt}\\setlength{\\parskip}{4pt}\n");
	add_between(d, open, title, close);
	if (format == DOC_HTML) {
		strbuf_adds(&d->out, "<h1>");
		escape_text(&d->out, (enum language)d->format, title);
		strbuf_adds(&d->out, "</h1>\n");
	}
}

void doc_end(struct doc *d)
{
	add_each(d, "</main>\n</body>\n</html>\n", "", "\\end{document}\n");
}

void doc_heading(struct doc *d, const char *text)
{
	static const char *const open[] = {"<h2>", "## ", "\\section{"}, *const close[] = {
										 "</h2>\n", "\n\n",
										 "}\n"};

	add_between(d, open, text, close);
}

void doc_subheading(struct doc *d, const char *text)
{
	static const char *const open[] = {"<h3>", "### ", "\\subsection{"}, *const close[] = {
										     "</h3>\n",
										     "\n\n", "}\n"};

	add_between(d, open, text, close);
}

void doc_para(struct doc *d, const char *text)
{
	static const char *const open[] = {"<p>", "", ""}, *const close[] = {"</p>\n", "\n\n",
									     "\n\n"};

	add_between(d, open, text, close);
}

void doc_item_begin(struct doc *d)
{
	add_each(d, "<ul>\n", "", "\\begin{itemize}\n");
}

void doc_item(struct doc *d, const char *text)
{
	static const char *const open[] = {"<li>", "- ", "\\item "}, *const close[] = {"</li>\n",
										       "\n", "\n"};

	add_between(d, open, text, close);
}

void doc_item_end(struct doc *d)
{
	add_each(d, "</ul>\n", "\n", "\\end{itemize}\n\n");
}

/* "why/28": 28; 0 for a column that is as wide as its text. */
static int share_of(const char *header)
{
	const char *slash = strrchr(header, '/');

	if (!slash)
		return 0;
	return atoi(slash + 1);
}

static void tex_column(struct doc *d, const char *header)
{
	if (share_of(header))
		strbuf_addf(&d->out, ">{\\raggedright\\arraybackslash}p{%.2f\\linewidth}",
			    share_of(header) / 100.0);
	else
		strbuf_addc(&d->out, header[0] == ':' ? 'r' : 'l');
}

static void table_open(struct doc *d, const char *const *header)
{
	d->wraps = false;
	for (size_t i = 0; i < d->columns; i++)
		d->wraps |= share_of(header[i]) > 0;
	if (d->format == DOC_HTML)
		strbuf_adds(&d->out, "<div class=\"wide\"><table>\n<thead>");
	if (d->format != DOC_TEX)
		return;
	/* Wider than the page: set smaller rather than cut off, or, where texts wrap, over several pages. */
	if (d->wraps)
		strbuf_adds(&d->out, "{\\footnotesize\\begin{longtable}[l]{@{}");
	else
		strbuf_adds(&d->out, "\\par\\noindent"
				     "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{"
				     "\\begin{tabular}{@{}");
	for (size_t i = 0; i < d->columns; i++)
		tex_column(d, header[i]);
	strbuf_adds(&d->out, "@{}}\n\\toprule\n");
}

/* The line under the header. */
static void table_rule(struct doc *d, const char *const *header)
{
	add_each(d, "</thead>\n<tbody>\n", "|", "\\midrule\n");
	if (d->format == DOC_TEX && d->wraps)
		strbuf_adds(&d->out, "\\endhead\n");
	if (d->format != DOC_MD)
		return;
	for (size_t i = 0; i < d->columns; i++)
		strbuf_addf(&d->out, "---%s|", text_if(header[i][0] == ':', ":"));
	strbuf_addc(&d->out, '\n');
}

void doc_table_begin(struct doc *d, size_t columns, const char *const *header)
{
	d->columns = columns;
	d->cell = 0;
	d->right = 0;
	for (size_t i = 0; i < columns; i++)
		d->right |= (unsigned long)(header[i][0] == ':') << i;
	table_open(d, header);
	d->header = true;
	for (size_t i = 0; i < columns; i++) {
		char *text = xstrdup(header[i] + (header[i][0] == ':'));

		if (share_of(text))
			*strrchr(text, '/') = '\0';

		doc_cell(d, text);
		free(text);
	}
	d->header = false;
	table_rule(d, header);
}

static const char *html_cell(const struct doc *d)
{
	if (d->header || !(d->cell % d->columns))
		return "th";
	return "td";
}

static void cell_open(struct doc *d)
{
	size_t column = d->cell % d->columns;

	if (!column)
		add_each(d, "<tr>", "| ", "");
	if (d->format == DOC_HTML)
		strbuf_addf(&d->out, "<%s%s>", html_cell(d), text_if(d->right >> column & 1, " class=\"r\""));
}

static void cell_close(struct doc *d)
{
	if (d->format == DOC_HTML)
		strbuf_addf(&d->out, "</%s>", html_cell(d));
	if (++d->cell % d->columns == 0)
		add_each(d, "</tr>\n", " |\n", " \\\\\n");
	else
		add_each(d, "", " | ", " & ");
}

void doc_cell(struct doc *d, const char *text)
{
	cell_open(d);
	escape_text(&d->out, (enum language)d->format, text);
	cell_close(d);
}

void doc_cell_value(struct doc *d, const char *value, const char *interval)
{
	static const char *const open[] = {"<small>", " ", "\\\\[-1pt]\\scriptsize "},
				 *const close[] = {"</small>", "", "}"};

	if (!*interval) {
		doc_cell(d, value);
		return;
	}
	cell_open(d);
	add_each(d, "", "", "\\shortstack[r]{");
	escape_text(&d->out, (enum language)d->format, value);
	add_between(d, open, interval, close);
	cell_close(d);
}

void doc_table_end(struct doc *d)
{
	while (d->cell % d->columns)
		doc_cell(d, "");
	add_each(d, "</tbody></table></div>\n", "\n", "\\bottomrule\n");
	if (d->format == DOC_TEX && d->wraps)
		strbuf_adds(&d->out, "\\end{longtable}}\n\n");
	else if (d->format == DOC_TEX)
		strbuf_adds(&d->out, "\\end{tabular}}\\par\\bigskip\n\n");
}

/* Several drawings in one page must not share ids. */
static void add_svg(struct doc *d, const char *svg)
{
	static const char *const ids[] = {"gpPat",    "gpPt",	 "gpDot",
					  "gnuplot_", "textbox", "greybox"};
	const char *start = strstr(svg, "<svg");

	if (start)
		svg = start;
	while (*svg) {
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			if (!strncmp(svg, ids[i], strlen(ids[i])))
				strbuf_addf(&d->out, "f%u", d->figures);
		strbuf_addc(&d->out, *svg++);
	}
}

void doc_figure(struct doc *d, const char *svg, const char *path, const char *caption)
{
	static const char *const open[] = {"<figcaption>", "*", "\\caption{"},
				 *const close[] = {"</figcaption></figure>\n", "*\n\n", "}\n"};

	d->figures++;
	add_each(d, "<figure>", "", "\\begin{figure}[htbp]\\centering\n");
	if (d->format == DOC_HTML)
		add_svg(d, svg);
	else if (d->format == DOC_MD)
		strbuf_addf(&d->out, "![](%s)\n\n", path);
	else
		strbuf_addf(&d->out, "\\includegraphics{%s}\n", path);
	add_between(d, open, caption, close);
	add_each(d, "", "", "\\end{figure}\n\n");
}
