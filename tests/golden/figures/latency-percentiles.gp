# Exitlab figure "latency-percentiles": Latency percentiles per mode.
# Draw it again, in this folder: gnuplot latency-percentiles.gp
set terminal pdfcairo noenhanced size 3.30in,2.44in font "Liberation Sans,7" fontscale 0.750
set output "latency-percentiles.pdf"
mark = 1
load "style.gp"
dat = "latency-percentiles.dat"

set xrange [-0.6:3.6]
set xtics scale 0 ("e1000" 0, "virtio" 1, "vhost" 2, "sriov" 3)
set ylabel "Latency (us)"
set logscale y 10
set format y "%g"
set yrange [11.9:1.3e+04]
set key outside top center horizontal samplen 0.8
set arrow from 0.5, graph 0 to 0.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
set arrow from 1.5, graph 0 to 1.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
set arrow from 2.5, graph 0 to 2.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
plot dat index 0 using 1:3:(0):($4-$3) @whisker lt 1 notitle, \
     dat index 0 using 1:2 with points lt 1 pt 7 ps 0.6*mark title "50 %", \
     dat index 1 using 1:3:(0):($4-$3) @whisker lt 3 notitle, \
     dat index 1 using 1:2 with points lt 3 pt 9 ps 0.6*mark title "90 %", \
     dat index 2 using 1:3:(0):($4-$3) @whisker lt 2 notitle, \
     dat index 2 using 1:2 with points lt 2 pt 5 ps 0.6*mark title "99 %", \
     dat index 3 using 1:3:(0):($4-$3) @whisker lt 5 notitle, \
     dat index 3 using 1:2 with points lt 5 pt 13 ps 0.6*mark title "99.9 %"
