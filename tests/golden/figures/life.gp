# Exitlab figure "life": The life of one packet.
# Draw it again, in this folder: gnuplot life.gp
set terminal pdfcairo noenhanced size 3.30in,4.29in font "Liberation Sans,7" fontscale 0.750
set output "life.pdf"
mark = 1
load "style.gp"
dat = "life.dat"

unset key
set border 0
unset xtics
set grid noxtics noytics
set lmargin 7
set rmargin 0
set tmargin 0.3
set bmargin 0.3
set ytics ("0" 0.0000, "10" 0.3931, "20" 0.7862, "30" 1.1793, "40" 1.5724, "50" 1.9655, "60" 2.3586, "70" 2.7517, "80" 3.1448, "90" 3.5379, "100" 3.9310)
set ylabel "Time since the doorbell (us)"
set yrange [3.990:-0.253]
set label "guest" at 1,-0.092 center
set arrow from 1,0 to 1,3.990 nohead lc rgb "#B0B0B0" lw 0.5 dt (2,2) back
set label "KVM" at 2,-0.196 center
set arrow from 2,0 to 2,3.990 nohead lc rgb "#B0B0B0" lw 0.5 dt (2,2) back
set label "VMM" at 3,-0.092 center
set arrow from 3,0 to 3,3.990 nohead lc rgb "#B0B0B0" lw 0.5 dt (2,2) back
set label "kernel" at 4,-0.196 center
set arrow from 4,0 to 4,3.990 nohead lc rgb "#B0B0B0" lw 0.5 dt (2,2) back
set label "peer" at 5,-0.092 center
set arrow from 5,0 to 5,3.990 nohead lc rgb "#B0B0B0" lw 0.5 dt (2,2) back
set arrow from 2.36,0.055 to 5.64,0.055 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "2.80 us  exit: npf virtio-net0 txq0 k" at 5.70,0.055 left
set arrow from 2.36,0.140 to 5.64,0.170 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "1.50 us  wakes net0" at 5.70,0.170 left
set arrow from 2,0.1690 to 1,0.1690 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 1.36,0.346 to 5.64,0.346 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "9.00 us  guest runs" at 5.70,0.346 left
set arrow from 1,0.5228 to 2,0.5228 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 2.36,0.601 to 5.64,0.601 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "4.00 us  exit: hlt" at 5.70,0.601 left
set arrow from 2,0.6801 to 3,0.6801 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 3.36,0.831 to 5.64,0.831 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "7.70 us  gets the CPU" at 5.70,0.831 left
set arrow from 3,0.9828 to 4,0.9828 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 4.36,1.185 to 5.64,1.185 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "10.3 us  frame goes up the host's sta" at 5.70,1.185 left
set arrow from 4,1.3877 to 3,1.3877 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 3.36,1.447 to 5.64,1.447 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "3.00 us  back from writev()" at 5.70,1.447 left
set arrow from 3,1.5056 to 5,1.5056 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 5.36,1.804 to 5.64,1.804 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "15.2 us  sendto()" at 5.70,1.804 left
set arrow from 5,2.1031 to 3,2.1031 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 3.36,2.243 to 5.64,2.243 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "7.10 us  gets the CPU" at 5.70,2.243 left
set arrow from 3,2.3822 to 2,2.3822 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 2.36,2.439 to 5.64,2.439 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "2.90 us  interrupt 0x31 injected" at 5.70,2.439 left
set arrow from 2,2.4962 to 1,2.4962 head size 0.12,20 filled lw 0.7 dt 1 lc rgb "#303030" front
set arrow from 1.36,3.243 to 5.64,3.243 nohead lc rgb "#C8C8C8" lw 0.4 dt 1 back
set label "38.0 us  guest runs" at 5.70,3.243 left
set xrange [0.4:13.191]
plot dat using ($7==0?$1:NaN):2:3:4:5:6 with boxxyerror @fill1 lw 0.4, \
     dat using ($7==1?$1:NaN):2:3:4:5:6 with boxxyerror @fill5 lw 0.4
