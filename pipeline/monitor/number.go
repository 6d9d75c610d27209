package monitor

import "churn/pipeline/promote"

// Number is a figure that may be undefined: NaN, and null in JSON.
type Number = promote.Number
