package gbdt

// A packed gradient holds what one row adds to a bin, so that one addition
// serves all three:
//
//	bits 63 … 37      36 … 13     12 … 0
//	     gradient     hessian     1
//
// The sums of up to narrowRows rows fit: |gradient| ≤ 2¹³, hessian ≤ 2¹¹.
const (
	countBits, hessBits = 13, 24
	narrowRows          = 1<<countBits - 1
	gradOne             = 1 << 13 // of gradient 1, the largest, for a weight of 1
	hessOne             = 1 << 13 // of hessian 1; the largest is ¼
	fraction            = 1 << 16 // resolution of the rounding
)

// pack returns the packed gradient.
func pack(g, h int64) uint64 {
	return uint64(g)<<(countBits+hessBits) + uint64(h)<<countBits + 1
}

// unpack returns the sums in a packed bin.
func unpack(v uint64) bin {
	return bin{
		g: int64(v) >> (countBits + hessBits),
		h: int64(v >> countBits & (1<<hessBits - 1)),
		n: int64(v & (1<<countBits - 1)),
	}
}

// rounding turns gradients into integers, stochastically (Shi et al. 2022):
// x is rounded up with a probability equal to its fraction, so that the sum over
// many rows is not biased, however small each gradient is. The error of a row,
// below 2⁻¹⁴ in the gradient, is small against its own noise √(p(1-p)).
type rounding struct {
	scale float64 // a power of two: what is exact stays exact
	key   uint64
}

// newRounding returns the rounding of a round, for weights up to most.
func newRounding(most float64, seed, round uint64) rounding {
	scale := 1.0
	for most*scale > 1 {
		scale /= 2
	}
	for most*scale <= 0.5 {
		scale *= 2
	}
	return rounding{scale: scale, key: mix(mix(seed) + round)}
}

// pack returns the packed gradient of row i.
func (r rounding) pack(i int, g, h float64) uint64 {
	u := mix(r.key + uint64(i))
	a := int64(g*r.scale*(gradOne*fraction)) + int64(u%fraction)
	b := int64(h*r.scale*(hessOne*fraction)) + int64(u>>48)
	return pack(a>>16, b>>16)
}

// mix is a bijection whose output bits all depend on all input bits: the
// finaliser of splitmix64 (Steele, Lea & Flood, OOPSLA 2014) on the next step of
// its Weyl sequence.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
