//go:build !race

package predictionlog

const raceEnabled = false
