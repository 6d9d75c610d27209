// Package model holds what every classifier of this repository shares: raw
// features (Frame), encoded features (Matrix, Row) and the one method that
// scores them (Classifier).
//
//	Frame ─ encode.Fit ─→ Encoder ─ Matrix ─→ Matrix ─ logistic.Fit … ─→ Classifier
//	                         └───── Encode ─→ Row ──────────────────────→ Margin
//
// The package knows nothing of churn. Every loop whose result is stored has a
// fixed order of summation and rounds every product to float64 before it is
// added, so that neither the number of cores nor the fused multiply-add of
// some processors can change a bit.
package model
