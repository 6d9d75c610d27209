package warehouse

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
)

// staged is where steps of queries were written to.
type staged struct{ users, events string }

// stage writes what a step finds, which is u3 or e2, into a table of
// source.scratch_schema, so that views and queries that cost much are run once.
// It returns the table; "" where the settings name no schema. The table is of the
// transaction, which is rolled back in the end: nobody else sees it, and nothing
// is left of a run that was killed.
func (e *Engine) stage(ctx context.Context, steps []string, step string) (string, error) {
	if e.params.ScratchSchema == "" {
		return "", nil
	}
	name := "churn_" + step + "_" + strings.ToLower(rand.Text()[:12])
	table := e.dialect.quote(e.params.ScratchSchema) + "." + e.dialect.quote(name)
	for _, s := range e.dialect.stage(table, query(steps)+"SELECT * FROM "+step) {
		if _, err := e.tx.ExecContext(ctx, s); err != nil {
			return "", e.fault("source.scratch_schema: "+e.params.ScratchSchema, err)
		}
	}
	return table, nil
}

// TryScratch tries whether source.scratch_schema takes a table. The table goes
// with the transaction; nothing can be asked after an error.
func (e *Engine) TryScratch(ctx context.Context) error {
	_, err := e.stage(ctx, []string{"none AS (SELECT 1 AS one WHERE 1 = 0)"}, "none")
	return err
}

// seal has the database refuse writes once all is staged.
func (e *Engine) seal(ctx context.Context) error {
	if e.params.ScratchSchema == "" {
		return nil
	}
	if _, err := e.tx.ExecContext(ctx, e.dialect.seal); err != nil {
		return e.fault("source.scratch_schema: "+e.params.ScratchSchema, err)
	}
	return nil
}

// from is a step that reads what was staged.
func from(step, table string) string { return fmt.Sprintf("%s AS (SELECT * FROM %s)", step, table) }
