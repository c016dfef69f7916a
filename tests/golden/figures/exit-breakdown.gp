# Exitlab figure "exit-breakdown": Where the time of one exit goes.
# Draw it again, in this folder: gnuplot exit-breakdown.gp
set terminal pdfcairo noenhanced size 3.30in,2.55in font "Liberation Sans,7" fontscale 0.750
set output "exit-breakdown.pdf"
mark = 1
load "style.gp"
dat = "exit-breakdown.dat"

set yrange [8.6:-0.6]
set ytics scale 0 ("npf" 0, "interrupt" 1, "io" 2, "msr" 3, "vintr" 4, "cpuid" 5, "write_cr0" 6, "0x8b" 7, "xsetbv" 8)
set grid noytics xtics
set xtics 5
set xlabel "Mean time of one exit (us)"
set xrange [0:20.01]
set key outside top center horizontal Left reverse
h = 0.34
plot dat using 2:0:(0):2:($0-h):($0+h) with boxxyerror @fill5 lw 0.5 dt 1 title "KVM, fast path", \
     dat using 2:0:2:($2+$3):($0-h):($0+h) with boxxyerror @fill1 lw 0.5 dt 1 title "KVM, slow path", \
     dat using 2:0:($2+$3):($2+$3+$4):($0-h):($0+h) with boxxyerror @fill4 lw 0.5 dt 1 title "userspace", \
     dat using 2:0:($2+$3+$4):($2+$3+$4+$5):($0-h):($0+h) with boxxyerror @fill2 lw 0.5 dt 1 title "waiting", \
     dat using 2:0:($2+$3+$4+$5):($2+$3+$4+$5+$6):($0-h):($0+h) with boxxyerror @fill3 lw 0.5 dt 1 title "asleep", \
     dat using ($2+$3+$4+$5+$6):0:(stringcolumn(7)) with labels boxed left offset 1,0 notitle
