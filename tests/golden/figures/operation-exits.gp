# Exitlab figure "operation-exits": How often an operation leaves for the hypervisor.
# Draw it again, in this folder: gnuplot operation-exits.gp
set terminal pdfcairo noenhanced size 3.30in,2.46in font "Liberation Sans,7" fontscale 0.750
set output "operation-exits.pdf"
mark = 1
load "style.gp"
dat = "operation-exits.dat"

set xtics ("container" 0, "virtio" 1, "vhost" 2) scale 0
set bmargin 1.9
set ytics ("syscall" 0, "page fault" 1, "mmap" 2, "mprotect" 3, "fork" 4, "exec" 5, "context switch" 6, "pipe" 7, "signal" 8, "thread wake" 9, "port write" 10, "cpuid" 11) scale 0
set xrange [-0.5:2.5]
set yrange [11.5:-0.5]
unset grid
unset key
set border 0
unset colorbox
low = 0.1
shown(x) = x < low ? low : x
set logscale cb 10
set cbrange [low:1000]
set format cb "%g"
set palette defined (0 "#F7FBFF", 0.35 "#9ECAE1", 0.65 "#4292C6", 1 "#08306B")
plot dat using 1:2:($1-0.48):($1+0.48):($2-0.46):($2+0.46):(shown($3)) with boxxyerror fillstyle solid 1 noborder lc palette, \
     dat using 1:($5 == 0 ? $2 : NaN):4 with labels tc rgb "#000000", \
     dat using 1:($5 == 1 ? $2 : NaN):4 with labels tc rgb "#FFFFFF"
