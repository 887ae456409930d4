package main

import (
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// result is what -json prints.
type result struct {
	Problem        string      `json:"problem"`
	Seeds          []uint64    `json:"seeds"`
	Config         used        `json:"config"`
	Linear         []linear    `json:"linear"` // three responses
	Random         []linear    `json:"random"` // random features
	Tabular        []tabular   `json:"tabular"`
	Counterexample []violation `json:"counterexample"`
}

// linear is one method with linear features. Log-probabilities are means over prompts or
// pairs; without a point in the trace they are changes over the whole run.
type linear struct {
	Method   string       `json:"method"`
	Best     *report.Stat `json:"best"` // the best response, which is in no pair
	Chosen   *report.Stat `json:"chosen"`
	Rejected *report.Stat `json:"rejected"`
	// Of the three responses: the largest distance of a log-probability from (s−L, −L, −s−L),
	// and of DPO's s from the gradient flow; null where there is no such form.
	CurveError *jsonnum.Float `json:"curve_error,omitempty"`
	FlowError  *jsonnum.Float `json:"flow_error,omitempty"`
	// The largest distance of a final log-probability from the limit of the method, which
	// DPO has only if no response wins all its comparisons.
	LimitError *report.Stat  `json:"limit_error,omitempty"`
	Trace      []linearPoint `json:"trace"`
}

// linearPoint holds mean log-probabilities after some updates.
type linearPoint struct {
	Step     int          `json:"step"`
	Best     *report.Stat `json:"best"`
	Chosen   *report.Stat `json:"chosen"`
	Rejected *report.Stat `json:"rejected"`
}

// tabular is DPO without features from one kind of reference.
type tabular struct {
	Reference  string         `json:"reference"`
	LogOdds    *report.Stat   `json:"log_odds"`    // change of the log-odds of what no pair contains
	ClosedForm *report.Stat   `json:"closed_form"` // the same by the formula
	Rose       int            `json:"rose"`        // seeds
	Fell       int            `json:"fell"`
	Error      jsonnum.Float  `json:"error"`      // the largest distance of the two
	PathError  jsonnum.Float  `json:"path_error"` // the same during training, with the rewards learned so far
	Trace      []tabularPoint `json:"trace"`
}

// tabularPoint holds the mass of what no pair contains, and the change of its log-odds so far.
type tabularPoint struct {
	Step    int          `json:"step"`
	Mass    *report.Stat `json:"mass"`
	LogOdds *report.Stat `json:"log_odds"`
}

// violation is the counterexample for one δ.
type violation struct {
	Delta   jsonnum.Float  `json:"delta"`
	BestJ   jsonnum.Float  `json:"best_j"`  // of π*
	DPO     stay           `json:"dpo"`     // at the policy that all pairs accept
	IPO     stay           `json:"ipo"`     // the same with IPO's margins
	HyPO    *escape        `json:"hypo"`    // trained from the same policy; null for δ = 0, where its KL is infinite
	Minimum *jsonnum.Float `json:"hypo_kl"` // the KL at HyPO's exact minimum; null for δ = 0
}

// stay says why an offline loss stays where it is.
type stay struct {
	PairError jsonnum.Float `json:"pair_error"` // the largest error of a margin
	Gradient  jsonnum.Float `json:"gradient"`   // the largest element
	KL        jsonnum.Float `json:"kl"`
	J         jsonnum.Float `json:"j"`
}

// escape is where HyPO ends.
type escape struct {
	KL *report.Stat `json:"kl"`
	J  *report.Stat `json:"j"`
}
