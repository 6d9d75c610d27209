package generate

// random is a stream of random numbers in eight bytes: SplitMix64 (Steele,
// Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). All
// streams walk the same cycle of 2⁶⁴ numbers from scattered places; a user
// draws some ten thousand, so that any two of a million users share a stretch
// with a chance below one in a thousand.
type random uint64

const golden = 0x9e3779b97f4a7c15 // 2⁶⁴ / φ, odd: the step of the cycle

// mix scrambles 64 bits (finaliser of SplitMix64, Stafford's variant 13).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// stream returns the stream of number id for one purpose (salt) under a seed.
func stream(seed, salt, id uint64) random {
	return random(mix(mix(mix(seed+golden)^salt*golden) + id*golden))
}

func (r *random) bits() uint64 {
	*r += golden
	return mix(uint64(*r))
}

// unit returns a uniform number in [0, 1).
func (r *random) unit() float64 { return float64(r.bits()>>11) * (1.0 / (1 << 53)) }

// chance returns true with probability p.
func (r *random) chance(p float64) bool { return r.unit() < p }

// between returns a uniform number in [low, high).
func (r *random) between(low, high float64) float64 { return low + (high-low)*r.unit() }

// below returns a uniform integer in [0, n), n > 0 and small.
func (r *random) below(n int) int { return int(r.bits() >> 32 * uint64(n) >> 32) }

// bell returns a number of mean 0 and deviation 1 that is nearly normal: the
// sum of four uniform 16-bit numbers, from one draw. It lies in ±√12.
func (r *random) bell() float64 {
	const (
		half  = 2 * (1<<16 - 1)                // mean of the sum
		scale = 1.7320508075688772 / (1 << 16) // √3: the sum of four has variance 4/12
	)
	b := r.bits()
	sum := b&0xffff + b>>16&0xffff + b>>32&0xffff + b>>48
	return (float64(sum) - half) * scale
}

// pick returns i with probability weight(i)/total.
func (r *random) pick(n int, total float64, weight func(i int) float64) int {
	left := r.unit() * total
	for i := range n - 1 {
		left -= weight(i)
		if left < 0 {
			return i
		}
	}
	return n - 1
}
