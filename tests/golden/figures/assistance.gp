# Exitlab figure "assistance": What each extension of the processor removed.
# Draw it again, in this folder: gnuplot assistance.gp
set terminal pdfcairo noenhanced size 3.30in,1.43in font "Liberation Sans,7" fontscale 0.750
set output "assistance.pdf"
mark = 1
load "style.gp"
dat = "assistance.dat"

set ytics scale 0 ("all exits" 1, "npf" 2, "interrupt" 3, "all exits" 5)
set label "EPT: net-throughput, virtio" at graph 0.02, first 0 left font "Liberation Sans:Bold,7"
set label "333 k → 315 k" at graph 1.03, first 1 left font ",6"
set label "130 k → 123 k" at graph 1.03, first 2 left font ",6"
set label "70.0 k → 66.1 k" at graph 1.03, first 3 left font ",6"
set label "APICv: net-throughput, e1000" at graph 0.02, first 4 left font "Liberation Sans:Bold,7"
set label "417 k → 409 k" at graph 1.03, first 5 left font ",6"
set yrange [5.6:-0.6]
set logscale x 10
set xrange [0.24:*]
set xtics ("0" 0.3, "1" 1, "" 10, "100" 100, "" 1e3, "10 k" 1e4, "" 1e5, "1 M" 1e6)
set grid noytics xtics
set rmargin 14
set xlabel "Exits in the window"
set key outside top center horizontal
plot dat using 4:1:($5-$4):(0) with vectors nohead lw 1 lc rgb "#808080" notitle, \
     dat using 4:1 with points pt 6 ps 0.7*mark lc rgb "#D55E00" title "without", \
     dat using 5:1 with points pt 7 ps 0.6*mark lc rgb "#0072B2" title "with"
