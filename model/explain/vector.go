package explain

// lanes is the number of quadrature points of a pass: enough for 8 distinct
// features on a path.
const lanes = 4

// vector has a value for each point of a pass. It is a struct, since the
// compiler keeps structs of four in registers but not arrays.
type vector struct{ a, b, c, d float64 }

// lane returns the value of point p.
func (x *vector) lane(p int) *float64 {
	return [lanes]*float64{&x.a, &x.b, &x.c, &x.d}[p]
}

// times returns x·y, lane by lane.
func (x vector) times(y vector) vector {
	return vector{x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d}
}

// plus returns x+y, lane by lane.
func (x vector) plus(y vector) vector {
	return vector{x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d}
}

// dot returns the sum of x·y over the lanes, in pairs.
func (x vector) dot(y vector) float64 {
	return (float64(x.a*y.a) + float64(x.b*y.b)) + (float64(x.c*y.c) + float64(x.d*y.d))
}
