# Exitlab figure "depth": Requests per second against depth.
# Draw it again, in this folder: gnuplot depth.gp
set terminal pdfcairo noenhanced size 3.30in,2.44in font "Liberation Sans,7" fontscale 0.750
set output "depth.pdf"
mark = 1
load "style.gp"
dat = "depth.dat"

set xlabel "Requests in flight"
set logscale x 2
set xtics ("1" 1, "4" 4, "16" 16, "64" 64)
set offsets graph 0.03, graph 0.03
unset label
set ylabel "Requests (k/s)"
unit = 1000
set logscale y 10
set yrange [17.9:492]
set format y "%g"
set ytics autofreq
set ytics ("20" 20, "50" 50, "100" 100, "200" 200)
set label "nvme" at graph 1.02, graph 0.745 left tc lt 3
set label "virtio-blk" at graph 1.02, graph 0.852 left tc lt 1
set label "host" at graph 1.02, graph 0.920 left tc lt 8
set rmargin 10.7
plot dat index 0 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 8 notitle, \
     dat index 0 using 1:($2/unit) with linespoints lt 8 notitle, \
     dat index 1 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 1 notitle, \
     dat index 1 using 1:($2/unit) with linespoints lt 1 notitle, \
     dat index 2 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 3 notitle, \
     dat index 2 using 1:($2/unit) with linespoints lt 3 notitle
