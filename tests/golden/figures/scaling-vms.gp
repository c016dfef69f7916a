# Exitlab figure "scaling-vms": Scaling in virtual machines.
# Draw it again, in this folder: gnuplot scaling-vms.gp
set terminal pdfcairo noenhanced size 3.30in,2.44in font "Liberation Sans,7" fontscale 0.750
set output "scaling-vms.pdf"
mark = 1
load "style.gp"
dat = "scaling-vms.dat"

set xlabel "Virtual machines"
set logscale x 2
set xtics ("1" 1, "2" 2, "4" 4, "8" 8)
set offsets graph 0.03, graph 0.03
unset label
set ylabel "Throughput (Gb/s)"
unit = 1e+09
unset logscale y
set yrange [0:53.49]
set format y "%g"
set ytics autofreq
set label "virtio" at graph 1.02, graph 0.107 left tc lt 1
set label "vhost" at graph 1.02, graph 0.174 left tc lt 3
set label "sriov" at graph 1.02, graph 0.881 left tc lt 2
set rmargin 7.0
plot dat index 0 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 1 notitle, \
     dat index 0 using 1:($2/unit) with linespoints lt 1 notitle, \
     dat index 1 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 3 notitle, \
     dat index 1 using 1:($2/unit) with linespoints lt 3 notitle, \
     dat index 2 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 2 notitle, \
     dat index 2 using 1:($2/unit) with linespoints lt 2 notitle
