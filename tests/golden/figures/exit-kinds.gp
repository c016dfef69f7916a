# Exitlab figure "exit-kinds": Round trip of each kind of exit, seen from the guest.
# Draw it again, in this folder: gnuplot exit-kinds.gp
set terminal pdfcairo noenhanced size 3.30in,1.75in font "Liberation Sans,7" fontscale 0.750
set output "exit-kinds.pdf"
mark = 1
load "style.gp"
dat = "exit-kinds.dat"

set yrange [4.6:-0.6]
set ytics scale 0 ("cpuid" 0, "pio_kernel" 1, "ioeventfd" 2, "pio_user" 3, "ipi" 4)
set grid noytics xtics
set xtics ("1" 1, "2" 2, "5" 5, "10" 10, "20" 20)
set rmargin 3
set autoscale xfix
set offsets graph 0.04, graph 0.04, 0, 0
set logscale x 10
set format x "%g"
set xlabel "Round trip (us)"
set key outside top center horizontal
h = 0.24
plot dat using 2:0:($6-$2):(0) with vectors nohead lw 1 lc rgb "#202020" notitle, \
     dat using 3:0:3:5:($0-h):($0+h) with boxxyerror @fill5 lw 0.6 dt 1 notitle, \
     dat using 4:0 with points pt 7 ps 0.5*mark lc rgb "#0072B2" title "median", \
     dat using 7:0 with points pt 2 ps 0.5*mark lc rgb "#D55E00" title "p99"
