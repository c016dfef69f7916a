# Exitlab figure "latency-cdf": Distribution of latency.
# Draw it again, in this folder: gnuplot latency-cdf.gp
set terminal pdfcairo noenhanced size 3.30in,2.44in font "Liberation Sans,7" fontscale 0.750
set output "latency-cdf.pdf"
mark = 1
load "style.gp"
dat = "latency-cdf.dat"

set logscale xy 10
set format x "%g"
set xrange [13.74:1.798e+04]
set xlabel "Latency (us)"
set ylabel "Share of requests"
set yrange [1:1.92e-05] reverse
set ytics ("50 %%" 0.5, "90 %%" 0.1, "99 %%" 0.01, "99.9 %%" 0.001, "99.99 %%" 0.0001, "99.999 %%" 0.00001)
set grid xtics
set rmargin 3
set key bottom right Right samplen 2.4
plot dat index 0 using 1:2 with steps lt 5 title "e1000", \
     dat index 1 using 1:2 with steps lt 1 title "virtio", \
     dat index 2 using 1:2 with steps lt 3 title "vhost", \
     dat index 3 using 1:2 with steps lt 2 title "sriov"
