#include "textflag.h"

// The constants of math.go's exp, each twice.
#define PAIR(i, x) \
	DATA exp4<>+(i*16)(SB)/8, x; \
	DATA exp4<>+(i*16+8)(SB)/8, x

PAIR(0, $1.4426950408889634)
PAIR(1, $1024.5)
PAIR(2, $0x0000040000000400)      // 1024 as int32
PAIR(3, $0.6931471805599453)
PAIR(4, $0.16666666666666666)     // 1/3!
PAIR(5, $0.5)
PAIR(6, $1.0)
PAIR(7, $0.008333333333333333)    // 1/5!
PAIR(8, $0.041666666666666664)    // 1/4!
PAIR(9, $0.0001984126984126984)   // 1/7!
PAIR(10, $0.001388888888888889)   // 1/6!
PAIR(11, $0.0000248015873015873)  // 1/8!
PAIR(12, $0x000003ff000003ff)     // 1023 as int32
PAIR(13, $0x42b1999a42b1999a)     // 88.8 as float32
PAIR(14, $0xc2d00000c2d00000)     // -104 as float32
GLOBL exp4<>(SB), RODATA|NOPTR, $240

#define C(i) exp4<>+(i*16)(SB)

// EXP turns two float64 in X0 into two float32 as exp does: n is in X1, r in X0, its
// square in X3, low in X4; X2, X5 and X6 are used too.
#define EXP \
	MOVAPD X0, X1; \
	MULPD C(0), X1; \
	ADDPD C(1), X1; \
	CVTTPD2PL X1, X1; \
	PSUBL C(2), X1; \
	CVTPL2PD X1, X2; \
	MULPD C(3), X2; \
	SUBPD X2, X0; \
	MOVAPD X0, X3; \
	MULPD X3, X3; \
	MOVAPD X0, X4; \
	MULPD C(4), X4; \
	ADDPD C(5), X4; \
	MULPD X3, X4; \
	MOVAPD X0, X5; \
	ADDPD C(6), X5; \
	ADDPD X5, X4; \
	MOVAPD X0, X5; \
	MULPD C(7), X5; \
	ADDPD C(8), X5; \
	MULPD C(9), X0; \
	ADDPD C(10), X0; \
	MOVAPD X3, X6; \
	MULPD C(11), X6; \
	ADDPD X6, X0; \
	MULPD X3, X0; \
	ADDPD X5, X0; \
	MULPD X3, X3; \
	MULPD X3, X0; \
	ADDPD X4, X0; \
	PADDL C(12), X1; \
	PXOR X2, X2; \
	PUNPCKLLQ X2, X1; \
	PSLLQ $52, X1; \
	MULPD X1, X0; \
	CVTPD2PS X0, X0

// func exp4(x []float32) int
TEXT ·exp4(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), DI
	MOVQ x_len+8(FP), CX
	XORQ AX, AX

next:
	LEAQ 4(AX), BX
	CMPQ BX, CX
	JGT  done
	MOVUPS (DI)(AX*4), X7
	MOVAPS X7, X8
	CMPPS  C(13), X8, $2 // x <= 88.8
	MOVAPS C(14), X9
	CMPPS  X7, X9, $2    // -104 <= x
	ANDPS  X9, X8
	MOVMSKPS X8, DX
	CMPL DX, $15
	JNE  done
	CVTPS2PD X7, X0
	EXP
	MOVLPS X0, (DI)(AX*4)
	MOVHLPS X7, X0
	CVTPS2PD X0, X0
	EXP
	MOVLPS X0, 8(DI)(AX*4)
	MOVQ BX, AX
	JMP  next

done:
	MOVQ AX, ret+24(FP)
	RET
