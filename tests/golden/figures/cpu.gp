# Exitlab figure "cpu": CPU time by thread, guest and host apart.
# Draw it again, in this folder: gnuplot cpu.gp
set terminal pdfcairo noenhanced size 3.30in,2.64in font "Liberation Sans,7" fontscale 0.750
set output "cpu.pdf"
mark = 1
load "style.gp"
dat = "cpu.dat"

set xrange [-0.6:5.6]
set xtics scale 0 ("host" 0, "e1000" 1, "virtio" 2, "vhost" 3, "vhost-\nuser" 4, "sriov" 5)
set bmargin 2.8
set ylabel "CPU time (% of a core)"
set yrange [0:196]
set key outside top center horizontal Left reverse maxcols 3
plot dat index 0 using 1:2:($1-0.34):($1+0.34):2:3 with boxxyerror @fill1 lw 0.5 dt 1 title "vCPU, guest", \
     dat index 1 using 1:2:($1-0.34):($1+0.34):2:3 with boxxyerror @fill2 lw 0.5 dt 1 title "vCPU, host", \
     dat index 2 using 1:2:($1-0.34):($1+0.34):2:3 with boxxyerror @fill3 lw 0.5 dt 1 title "I/O threads", \
     dat index 3 using 1:2:($1-0.34):($1+0.34):2:3 with boxxyerror @fill4 lw 0.5 dt 1 title "vhost workers", \
     dat index 4 using 1:2:($1-0.34):($1+0.34):2:3 with boxxyerror @fill5 lw 0.5 dt 1 title "other threads", \
     dat index 5 using 1:2:(sprintf("%.0f", $2)) with labels boxed offset 0,0.5 notitle
