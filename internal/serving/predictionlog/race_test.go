//go:build race

package predictionlog

const raceEnabled = true
