# Exitlab figure "timeline": Samples in the order in which they ran.
# Draw it again, in this folder: gnuplot timeline.gp
set terminal pdfcairo noenhanced size 3.30in,2.05in font "Liberation Sans,7" fontscale 0.750
set output "timeline.pdf"
mark = 1
load "style.gp"
dat = "timeline.dat"

set yrange [0.944565:1.05544]
set ytics 0.05
set xrange [0:51]
set xlabel "Sample, in the order of the plan"
set ylabel "Relative to its median"
set key outside top center horizontal samplen 0.6
plot 1 with lines lt 8 lw 0.6 dt 1 notitle, \
     dat index 0 using 1:2 with linespoints lt 5 lw 0.5 title "e1000", \
     dat index 1 using 1:2 with linespoints lt 1 lw 0.5 title "virtio", \
     dat index 2 using 1:2 with linespoints lt 3 lw 0.5 title "vhost", \
     dat index 3 using 1:2 with linespoints lt 7 lw 0.5 title "vhost-user", \
     dat index 4 using 1:2 with linespoints lt 2 lw 0.5 title "sriov"
