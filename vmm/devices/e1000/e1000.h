/* SPDX-License-Identifier: MIT */
/*
 * Intel 82540EM, between the files of this device. Section numbers are those of the "PCI/PCI-X Family of
 * Gigabit Ethernet Controllers Software Developer's Manual".
 *
 *   e1000.c       the device: BARs, reset, options
 *   e1000_regs.c  what reading and writing a register does
 *   e1000_phy.c   EEPROM and PHY
 *   e1000_irq.c   causes, masks, and when the line goes up (ITR, TIDV/TADV, RDTR/RADV)
 *   e1000_tx.c    descriptors -> packets
 *   e1000_seg.c   checksums and segmentation in software
 *   e1000_rx.c    TAP -> filters -> descriptors
 *
 * Threads and locks. The vCPU that accesses a register holds the device's lock. Ring state belongs to the
 * I/O thread (with io=vcpu the transmit side belongs to the vCPUs under the device's lock); a register that
 * changes a ring's set-up is written on the I/O thread by evloop_call. So is MDIC, because its PHY has a
 * loopback, in which that thread leaves the receive ring to whoever transmits. Tails and control registers
 * are single words, read without a lock. irq_lock covers ICR, IMS and the timers; it is the innermost lock.
 */
#ifndef VMM_DEVICES_E1000_E1000_H
#define VMM_DEVICES_E1000_E1000_H

#include <linux/virtio_net.h>
#include <sys/uio.h>
#include "vmm/core/evloop.h"
#include "vmm/net/tap.h"
#include "vmm/pci/pci.h"

enum e1000_reg {
	CTRL = 0x0000,
	STATUS = 0x0008,
	EECD = 0x0010,
	EERD = 0x0014,
	CTRL_EXT = 0x0018,
	MDIC = 0x0020,
	FCAL = 0x0028,
	FCAH = 0x002c,
	FCT = 0x0030,
	VET = 0x0038,
	ICR = 0x00c0,
	ITR = 0x00c4,
	ICS = 0x00c8,
	IMS = 0x00d0,
	IMC = 0x00d8,
	RCTL = 0x0100,
	FCTTV = 0x0170,
	TXCW = 0x0178,
	RXCW = 0x0180,
	TCTL = 0x0400,
	TIPG = 0x0410,
	LEDCTL = 0x0e00,
	PBA = 0x1000,
	FCRTL = 0x2160,
	FCRTH = 0x2168,
	RDBAL = 0x2800,
	RDBAH = 0x2804,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	RDTR = 0x2820,
	RXDCTL = 0x2828,
	RADV = 0x282c,
	TDBAL = 0x3800,
	TDBAH = 0x3804,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	TIDV = 0x3820,
	TXDCTL = 0x3828,
	TADV = 0x382c,
	STATS_FIRST = 0x4000,
	CRCERRS = 0x4000,
	MPC = 0x4010,
	PRC64 = 0x405c,
	GPRC = 0x4074,
	BPRC = 0x4078,
	MPRC = 0x407c,
	GPTC = 0x4080,
	GORCL = 0x4088,
	GOTCL = 0x4090,
	RUC = 0x40a4,
	ROC = 0x40ac,
	TORL = 0x40c0,
	TOTL = 0x40c8,
	TPR = 0x40d0,
	TPT = 0x40d4,
	PTC64 = 0x40d8,
	MPTC = 0x40f0,
	BPTC = 0x40f4,
	TSCTC = 0x40f8,
	TSCTFC = 0x40fc,
	STATS_LAST = 0x40fc,
	RXCSUM = 0x5000,
	MTA = 0x5200,
	RAL = 0x5400,
	VFTA = 0x5600,
	WUC = 0x5800,
	MANC = 0x5820,
};

#define E1000_BAR_SIZE 0x20000u
#define E1000_IO_SIZE  0x40u
#define E1000_REGS     (0x6000u / 4) /* behind it nothing is kept */

#define CTRL_SLU  (1u << 6)
#define CTRL_RST  (1u << 26)
#define CTRL_VME  (1u << 30)
#define CTRL_PHY_RST (1u << 31)

#define STATUS_FD 0x1u
#define STATUS_LU 0x2u
#define STATUS_SPEED_1000 0x80u

#define ICR_TXDW   0x01u
#define ICR_TXQE   0x02u
#define ICR_LSC    0x04u
#define ICR_RXDMT0 0x10u
#define ICR_RXO    0x40u
#define ICR_RXT0   0x80u

#define RCTL_EN   (1u << 1)
#define RCTL_UPE  (1u << 3)
#define RCTL_MPE  (1u << 4)
#define RCTL_LPE  (1u << 5)
#define RCTL_LBM  (3u << 6)
#define RCTL_BAM  (1u << 15)
#define RCTL_VFE  (1u << 18)
#define RCTL_BSEX (1u << 25)
#define RCTL_SECRC (1u << 26)

#define TCTL_EN  (1u << 1)
#define TCTL_PSP (1u << 3)

/* Causes that wait for their own delay timer. */
enum e1000_delay { DELAY_TX, DELAY_RX, DELAYS };

struct e1000_delay_state {
	bool armed;
	uint64_t packet_ns;   /* restarted by every packet */
	uint64_t absolute_ns; /* set by the first; 0: none */
};

/*
 * The offload context of a transmit queue (3.3.6, 3.3.7): set by one kind of descriptor, used by the
 * others.
 */
struct e1000_context {
	uint8_t ipcss, ipcso, tucss, tucso;
	uint16_t ipcse, tucse, mss;
	uint8_t hdr_len;
	bool tcp, ipv4;
};

#define TX_SEGS      64
#define TX_FRAME_MAX 65536u /* what one TSO packet can carry */

/* A packet being collected from descriptors; nothing of it is copied. */
struct e1000_packet {
	struct iovec iov[TX_SEGS + 2]; /* [0] vnet_hdr, [1] rewritten headers */
	unsigned n;                    /* segments from iov[2] on */
	size_t len;
	uint8_t popts;
	uint16_t vlan;
	bool insert_vlan, tse, bad, started;
};

struct e1000 {
	struct pci_dev *pci;
	uint32_t reg[E1000_REGS];
	uint32_t io_addr;
	uint16_t eeprom[64];
	uint16_t phy[32];
	/* The EEPROM's serial interface (5.3). */
	struct {
		uint32_t shift;
		unsigned bits, out_bits;
		uint16_t out;
		bool sk, cs, reading;
	} ee;

	/* Options. */
	bool coalesce, offload, io_vcpu;
	uint64_t coalesce_ns;
	uint8_t mac[6];

	struct tap tap;
	struct evloop *loop;
	int kick_fd, timer_fd;
	bool tap_watched, tap_blocked;

	/* Interrupts, under irq_lock. */
	pthread_mutex_t irq_lock;
	bool line;
	uint64_t next_irq_ns, timer_ns;
	struct e1000_delay_state delay[DELAYS];

	/* Transmit. */
	struct e1000_context ctx, tso_ctx;
	struct e1000_packet pkt;
	unsigned tx_frames; /* made by software since the kick */
	struct virtio_net_hdr_mrg_rxbuf tx_hdr;
	uint8_t head[256 + 4];
	uint8_t *flat; /* TX_FRAME_MAX: software segmentation */
	struct stats_queue *tx_stats, *rx_stats;

	/* Receive. */
	uint8_t *bounce; /* a frame that does not fit its first buffer, and the loopback's */
};

/* ---- e1000.c ---- */
static inline uint32_t e1000_get(const struct e1000 *e, unsigned off)
{
	return __atomic_load_n(&e->reg[off / 4], __ATOMIC_ACQUIRE);
}

static inline void e1000_set(struct e1000 *e, unsigned off, uint32_t v)
{
	__atomic_store_n(&e->reg[off / 4], v, __ATOMIC_RELEASE);
}

/* Statistics registers stop at their highest value. */
void e1000_count(struct e1000 *e, unsigned off, uint64_t n);
/* 64-bit pairs. */
void e1000_count_octets(struct e1000 *e, unsigned low, uint64_t n);
bool e1000_loopback(const struct e1000 *e);
/* On the I/O thread (or before there is one). */
void e1000_device_reset(struct e1000 *e);
/* One writer per counter. */
static inline void e1000_stat(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

/* ---- e1000_regs.c ---- */
void e1000_reg_write(struct e1000 *e, uint32_t off, uint32_t v);
uint32_t e1000_reg_read(struct e1000 *e, uint32_t off);

/* ---- e1000_phy.c ---- */
void e1000_eeprom_init(struct e1000 *e);
void e1000_phy_reset(struct e1000 *e);
uint32_t e1000_eecd_read(struct e1000 *e);
void e1000_eecd_write(struct e1000 *e, uint32_t v);
uint32_t e1000_eerd(struct e1000 *e, uint32_t v);
uint32_t e1000_mdic(struct e1000 *e, uint32_t v);

/* ---- e1000_irq.c ---- */
void e1000_irq_raise(struct e1000 *e, uint32_t cause);
/* A cause that may wait for its delay registers (when the descriptor or the register asks for it). */
void e1000_irq_raise_delayed(struct e1000 *e, uint32_t cause, enum e1000_delay which);
uint32_t e1000_icr_read(struct e1000 *e);
void e1000_icr_write(struct e1000 *e, uint32_t clear);
void e1000_ims_write(struct e1000 *e, uint32_t set, uint32_t clear);
void e1000_irq_timer(void *arg, uint32_t events);
void e1000_irq_reset(struct e1000 *e);

/* ---- e1000_tx.c ---- */
/* Serve the ring up to its tail, at most a ring's length; more arrives as another kick. */
void e1000_tx_run(struct e1000 *e);
void e1000_tx_reset(struct e1000 *e);
/* So many frames of so many bytes together, to which the wire adds a CRC each: statistics count it (13.7). */
#define E1000_CRC_LEN 4
void e1000_count_sent(struct e1000 *e, unsigned frames, size_t len);

/* ---- e1000_seg.c ---- */
/* Complete the packet in software: insert what checksums it asks for, cut it into frames, send each. */
void e1000_send_software(struct e1000 *e, const struct e1000_context *ctx);
/*
 * Complete the headers of a TSO packet for the kernel's GSO: lengths, IP checksum, pseudo header. false:
 * leave it.
 */
bool e1000_prepare_gso(struct e1000 *e, const struct e1000_context *ctx);
uint16_t e1000_checksum(const uint8_t *p, size_t len, uint32_t sum);

/* ---- e1000_rx.c ---- */
void e1000_rx_readable(void *arg, uint32_t events);
/* Into the guest's ring as if it came from the wire (loopback). */
void e1000_rx_frame(struct e1000 *e, uint8_t *frame, size_t len, bool csum_ok);
/* The guest gave buffers back: look at the TAP again. */
void e1000_rx_resume(struct e1000 *e);

#endif
