# The style of every Exitlab figure: loaded by each .gp, which sets "mark", the scale of points. Edit here, run the .gp
# again.
#
# Colours are Okabe and Ito's, which every kind of colour vision tells apart. Neighbours in a stack alternate between
# dark and light, and every second class is hatched, so that a grey print still reads.
set encoding utf8
set minussign
# One line type per mode: 1 virtio, 2 sriov, 3 vhost, 4 (spare), 5 e1000, 6 (spare), 7 vhost-user, 8 host.
set linetype 1 lc rgb "#0072B2" lw 1.4 dt 1           pt 7  ps 0.55*mark
set linetype 2 lc rgb "#E69F00" lw 1.4 dt (8,3)       pt 5  ps 0.55*mark
set linetype 3 lc rgb "#009E73" lw 1.4 dt (4,2)       pt 9  ps 0.65*mark
set linetype 4 lc rgb "#56B4E9" lw 1.4 dt (8,2,2,2)   pt 11 ps 0.65*mark
set linetype 5 lc rgb "#D55E00" lw 1.4 dt (2,2)       pt 13 ps 0.65*mark
set linetype 6 lc rgb "#8A7F00" lw 1.4 dt (6,2,1,2)   pt 4  ps 0.55*mark
set linetype 7 lc rgb "#B0568A" lw 1.4 dt (10,2,2,2)  pt 6  ps 0.55*mark
set linetype 8 lc rgb "#404040" lw 1.4 dt (1,2)       pt 8  ps 0.65*mark
set linetype cycle 8

# Fills of stacked parts, used as @fill1 .. @fill8 with the macro expansion that gnuplot has by default.
fill1 = 'fs solid 1.0 border lc rgb "#202020" fc rgb "#0072B2"'
fill2 = 'fs solid 1.0 border lc rgb "#202020" fc rgb "#F5C45E"'
fill3 = 'fs pattern 6 border lc rgb "#202020" fc rgb "#009E73"'
fill4 = 'fs pattern 1 border lc rgb "#202020" fc rgb "#D55E00"'
fill5 = 'fs solid 1.0 border lc rgb "#202020" fc rgb "#DDF0FA"'
fill6 = 'fs pattern 7 border lc rgb "#202020" fc rgb "#B0568A"'
fill7 = 'fs solid 1.0 border lc rgb "#202020" fc rgb "#3A3500"'
fill8 = 'fs solid 1.0 border lc rgb "#202020" fc rgb "#999999"'

set border 3 lw 0.6 lc rgb "#303030"
set tics nomirror out scale 0.5,0.25
set grid ytics lt 1 lc rgb "#D8D8D8" lw 0.4 dt 1
set grid noxtics
set style fill solid 1.0 border lc rgb "#202020"
set boxwidth 0.7
# Numbers beside a bar stand out from the grid behind them.
set style textbox opaque noborder fc rgb "white" margins 0.3,0.2
# Whiskers: "using x:low:(0):(high-low) @whisker". (yerrorbars blank a disc around their point.)
whisker = 'with vectors heads size graph 0.009,90 fixed dt 1 lw 0.9'
set key samplen 1.6 spacing 1.05 width -0.5 noopaque
