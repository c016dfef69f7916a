# Exitlab figure "exit-cost": Handling time of an exit by reason.
# Draw it again, in this folder: gnuplot exit-cost.gp
set terminal pdfcairo noenhanced size 3.30in,2.75in font "Liberation Sans,7" fontscale 0.750
set output "exit-cost.pdf"
mark = 1
load "style.gp"
dat = "exit-cost.dat"

set yrange [9.6:-0.6]
set ytics scale 0 ("hlt" 0, "npf" 1, "interrupt" 2, "io" 3, "msr" 4, "vintr" 5, "cpuid" 6, "write_cr0" 7, "0x8b" 8, "xsetbv" 9)
set grid noytics xtics
set rmargin 3
set autoscale xfix
set offsets graph 0.04, graph 0.04, 0, 0
set logscale x 10
set format x "%g"
set xlabel "Handling time (us)"
set key outside top center horizontal
plot dat using 3:0:($4-$3):(0) with vectors nohead lw 1.4 lc rgb "#0072B2" notitle, \
     dat using 3:0 with points pt 7 ps 0.6*mark lc rgb "#0072B2" title "median", \
     dat using 4:0 with points pt 2 ps 0.5*mark lc rgb "#D55E00" title "p99", \
     dat using 2:0 with points pt 12 ps 0.7*mark lw 1.2 lc rgb "#202020" title "mean"
