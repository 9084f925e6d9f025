#include "textflag.h"

#define FETCH(i) \
	MOVL i*8(BX), DX; \
	SHLQ CX, DX; \
	PREFETCHT0 (AX)(DX*1)

// func prefetch(rows unsafe.Pointer, shift uint64, entries *[8]entry)
TEXT ·prefetch(SB), NOSPLIT, $0-24
	MOVQ rows+0(FP), AX
	MOVQ shift+8(FP), CX
	MOVQ entries+16(FP), BX
	FETCH(0)
	FETCH(1)
	FETCH(2)
	FETCH(3)
	FETCH(4)
	FETCH(5)
	FETCH(6)
	FETCH(7)
	RET
