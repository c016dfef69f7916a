/* SPDX-License-Identifier: MIT */
/*
 * The subcommands, in the order of the help text: X(NAME) for the cmd_NAME of cmd_NAME.c. Included with X
 * defined.
 */
X(doctor)
X(run)
X(sweep)
X(nightly)
X(rerun)
X(list)
X(show)
X(compare)
X(plot)
X(report)
X(dashboard)
X(gate)
X(ab)
X(bisect)
X(accept)
X(export)
X(import)
X(rm)
X(profile)
X(top)
X(lab)
X(peer)
X(recover)
X(help)
