# Exitlab figure "packet-events": Exits, kicks and interrupts per packet.
# Draw it again, in this folder: gnuplot packet-events.gp
set terminal pdfcairo noenhanced size 3.30in,2.44in font "Liberation Sans,7" fontscale 0.750
set output "packet-events.pdf"
mark = 1
load "style.gp"
dat = "packet-events.dat"

set label "0" at 3.910, graph 0.04 center tc lt 2
set label "0" at 3.090, graph 0.04 center tc lt 1
set label "0" at 4.090, graph 0.04 center tc lt 1
set xrange [-0.6:4.6]
set xtics scale 0 ("e1000" 0, "virtio" 1, "vhost" 2, "vhost-\nuser" 3, "sriov" 4)
set bmargin 2.8
set ylabel "Events per packet"
set logscale y 10
set format y "%g"
set yrange [0.000268:12.5]
set key outside top center horizontal samplen 0.8 maxcols 2
set arrow from 0.5, graph 0 to 0.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
set arrow from 1.5, graph 0 to 1.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
set arrow from 2.5, graph 0 to 2.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
set arrow from 3.5, graph 0 to 3.5, graph 1 nohead lc rgb "#D8D8D8" lw 0.4 back
plot dat index 0 using 1:3:(0):($4-$3) @whisker lt 5 notitle, \
     dat index 0 using 1:2 with points lt 5 pt 7 ps 0.6*mark title "exits", \
     dat index 1 using 1:3:(0):($4-$3) @whisker lt 2 notitle, \
     dat index 1 using 1:2 with points lt 2 pt 5 ps 0.6*mark title "userspace exits", \
     dat index 2 using 1:3:(0):($4-$3) @whisker lt 1 notitle, \
     dat index 2 using 1:2 with points lt 1 pt 9 ps 0.6*mark title "kicks", \
     dat index 3 using 1:3:(0):($4-$3) @whisker lt 3 notitle, \
     dat index 3 using 1:2 with points lt 3 pt 13 ps 0.6*mark title "interrupts"
