# Exitlab figure "load": 99th percentile of latency against load.
# Draw it again, in this folder: gnuplot load.gp
set terminal pdfcairo noenhanced size 3.30in,2.44in font "Liberation Sans,7" fontscale 0.750
set output "load.pdf"
mark = 1
load "style.gp"
dat = "load.dat"

set xlabel "Offered load (1/s)"
set logscale x 2
set xtics ("1k" 1000, "2k" 2000, "4k" 4000, "8k" 8000, "16k" 16000)
set offsets graph 0.03, graph 0.03
unset label
set ylabel "99th percentile of latency (us)"
unit = 1
set logscale y 10
set yrange [70.65:9352]
set format y "%g"
set ytics autofreq
set ytics ("100" 100, "200" 200, "500" 500, "1000" 1000, "2000" 2000, "5000" 5000)
set label "sriov" at graph 1.02, graph 0.563 left tc lt 2
set label "vhost" at graph 1.02, graph 0.740 left tc lt 3
set label "virtio" at graph 1.02, graph 0.895 left tc lt 1
set rmargin 7.0
plot dat index 0 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 1 notitle, \
     dat index 0 using 1:($2/unit) with linespoints lt 1 notitle, \
     dat index 1 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 3 notitle, \
     dat index 1 using 1:($2/unit) with linespoints lt 3 notitle, \
     dat index 2 using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt 2 notitle, \
     dat index 2 using 1:($2/unit) with linespoints lt 2 notitle
