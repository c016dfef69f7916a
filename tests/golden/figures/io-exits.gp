# Exitlab figure "io-exits": VM exits per request of a disk, by register.
# Draw it again, in this folder: gnuplot io-exits.gp
set terminal pdfcairo noenhanced size 3.30in,2.64in font "Liberation Sans,7" fontscale 0.750
set output "io-exits.pdf"
mark = 1
load "style.gp"
dat = "io-exits.dat"

set xrange [-0.6:1.6]
set xtics scale 0 ("virtio-blk" 0, "nvme" 1)
set ylabel "Exits (per request)"
unit = 1
set yrange [0:0.2148]
set key outside top center horizontal Left reverse maxcols 3 width 1
plot dat index 0 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill1 lw 0.5 dt 1 title "npf", \
     dat index 1 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill2 lw 0.5 dt 1 title "interrupt", \
     dat index 2 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill3 lw 0.5 dt 1 title "msr", \
     dat index 3 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill4 lw 0.5 dt 1 title "hlt", \
     dat index 4 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill5 lw 0.5 dt 1 title "vintr", \
     dat index 5 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill6 lw 0.5 dt 1 title "cpuid", \
     dat index 6 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill7 lw 0.5 dt 1 title "io", \
     dat index 7 using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror @fill8 lw 0.5 dt 1 title "other", \
     dat index 8 using 1:($2/unit):3 with labels boxed offset 0,0.5 notitle
