/* SPDX-License-Identifier: MIT */
/*
 * The subcommands, in the order of the help text: X(NAME) for the cmd_NAME of cmd_NAME.c. Included with X
 * defined.
 */
X(doctor)
X(run)
X(plot)
X(report)
X(dashboard)
X(nightly)
X(show)
X(list)
X(rm)
X(sweep)
X(compare)
X(gate)
X(accept)
X(rerun)
X(export)
X(import)
X(profile)
X(top)
X(peer)
X(recover)
X(lab)
X(help)
