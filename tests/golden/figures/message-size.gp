# Exitlab figure "message-size": Throughput and exits against message size.
# Draw it again, in this folder: gnuplot message-size.gp
set terminal pdfcairo noenhanced size 3.30in,3.79in font "Liberation Sans,7" fontscale 0.750
set output "message-size.pdf"
mark = 1
load "style.gp"
dat = "message-size.dat"

set xtics ("64" 64, "256" 256, "1Ki" 1024, "4Ki" 4096, "16Ki" 16384, "64Ki" 65536)
set logscale x 2
set offsets graph 0.03, graph 0.03
set lmargin 8
set multiplot layout 2,1
unset label
set ylabel "Throughput (Gb/s)"
unit = 1e+09
set logscale y 10
set yrange [0.004266:2.407]
set format y "%g"
set ytics autofreq
set label "e1000" at graph 1.02, graph 0.504 left tc lt 5
set label "virtio" at graph 1.02, graph 0.880 left tc lt 1
set label "vhost" at graph 1.02, graph 0.967 left tc lt 3
set rmargin 7.0
plot dat index 0 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 5 notitle, \
     dat index 0 using 1:($2/unit) with linespoints lt 5 notitle, \
     dat index 1 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 1 notitle, \
     dat index 1 using 1:($2/unit) with linespoints lt 1 notitle, \
     dat index 2 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 3 notitle, \
     dat index 2 using 1:($2/unit) with linespoints lt 3 notitle
set xlabel "Message size (bytes)"
unset label
set ylabel "Exits (k/s)"
unit = 1000
set logscale y 10
set yrange [17.52:137.3]
set format y "%g"
set ytics autofreq
set ytics ("20" 20, "50" 50, "100" 100)
set label "vhost" at graph 1.02, graph 0.361 left tc lt 3
set label "virtio" at graph 1.02, graph 0.447 left tc lt 1
set label "e1000" at graph 1.02, graph 0.566 left tc lt 5
set rmargin 7.0
plot dat index 3 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 5 notitle, \
     dat index 3 using 1:($2/unit) with linespoints lt 5 notitle, \
     dat index 4 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 1 notitle, \
     dat index 4 using 1:($2/unit) with linespoints lt 1 notitle, \
     dat index 5 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 3 notitle, \
     dat index 5 using 1:($2/unit) with linespoints lt 3 notitle
unset multiplot
