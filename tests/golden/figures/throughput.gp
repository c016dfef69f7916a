# Exitlab figure "throughput": Throughput per mode.
# Draw it again, in this folder: gnuplot throughput.gp
set terminal pdfcairo noenhanced size 3.30in,2.18in font "Liberation Sans,7" fontscale 0.750
set output "throughput.pdf"
mark = 1
load "style.gp"
dat = "throughput.dat"

set xrange [-0.6:5.6]
set xtics scale 0 ("host" 0, "e1000" 1, "virtio" 2, "vhost" 3, "vhost-\nuser" 4, "sriov" 5)
set bmargin 2.8
set ylabel "Throughput (Gb/s)"
unit = 1e+09
set yrange [0:10.95]
plot dat index 0 using 0:($2/unit):9 with boxes lc variable notitle, \
     dat index 1 using 1:($2/unit) with points pt 7 ps 0.24*mark lc rgb "#FFFFFF" notitle, \
     dat index 1 using 1:($2/unit) with points pt 6 ps 0.22*mark lw 0.5 lc rgb "#000000" notitle, \
     dat index 0 using 0:($3/unit):(0):(($4-$3)/unit) @whisker lc rgb "#000000" notitle, \
     dat index 0 using 0:(10.21):(sprintf($6 < 99.5 ? "%.2g×" : "%.0f×", $6)) with labels boxed font ",6" notitle
