# Exitlab figure "batch": Packets served per notification.
# Draw it again, in this folder: gnuplot batch.gp
set terminal pdfcairo noenhanced size 3.30in,2.05in font "Liberation Sans,7" fontscale 0.750
set output "batch.pdf"
mark = 1
load "style.gp"
dat = "batch.dat"

set xrange [-0.6:4.6]
set xtics scale 0 ("e1000" 0, "virtio" 1, "vhost" 2, "vhost-\nuser" 3, "sriov" 4)
set bmargin 2.8
set ylabel "Packets per service run"
unit = 1
set yrange [0:37.24]
plot dat index 0 using 0:($2/unit):9 with boxes lc variable notitle, \
     dat index 1 using 1:($2/unit) with points pt 7 ps 0.24*mark lc rgb "#FFFFFF" notitle, \
     dat index 1 using 1:($2/unit) with points pt 6 ps 0.22*mark lw 0.5 lc rgb "#000000" notitle, \
     dat index 0 using 0:($3/unit):(0):(($4-$3)/unit) @whisker lc rgb "#000000" notitle, \
     dat index 0 using 0:(34.72):(sprintf("%.3g", $2)) with labels boxed font ",6" notitle
