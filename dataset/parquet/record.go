package parquet

import "github.com/prefgrad/prefgrad/dataset"

// load makes a record of a row's cells and resolves it.
func load[T dataset.Record](cells []cell, at dataset.Position) (T, error) {
	var record T
	var err error
	switch r := any(&record).(type) {
	case *dataset.Pair:
		*r = dataset.Pair{Prompt: cells[prompt].text, Chosen: cells[chosen].text, Rejected: cells[rejected].text, At: at}
		if cells[margin].set {
			x := cells[margin].number
			r.Margin = &x
		}
		if r.Ref, err = reference(cells, at); err == nil {
			err = r.Resolve()
		}
	case *dataset.Unpaired:
		*r = dataset.Unpaired{Prompt: cells[prompt].text, Completion: cells[completion].text, Label: cells[label].truth, At: at}
		if err = missing(cells, label, unpairedFields, at); err == nil {
			err = r.Resolve()
		}
	case *dataset.PromptOnly:
		*r = dataset.PromptOnly{Prompt: cells[prompt].text, At: at}
		err = r.Resolve()
	}
	if err != nil {
		var none T
		return none, err
	}
	return record, nil
}

// reference returns the log-probabilities under the reference: both or none.
func reference(cells []cell, at dataset.Position) (*dataset.Ref, error) {
	if !cells[refChosen].set && !cells[refRejected].set && !cells[fingerprint].set {
		return nil, nil
	}
	for _, i := range []int{refChosen, refRejected} {
		if err := missing(cells, i, pairFields, at); err != nil {
			return nil, err
		}
	}
	return &dataset.Ref{
		Chosen: cells[refChosen].number, Rejected: cells[refRejected].number,
		Fingerprint: dataset.Fingerprint(cells[fingerprint].text.Plain),
	}, nil
}

func missing(cells []cell, i int, fields []field, at dataset.Position) error {
	if cells[i].set {
		return nil
	}
	return located(&dataset.Error{Kind: dataset.MissingField, Field: fields[i].name}, at)
}

// located adds the position to an error.
func located(e *dataset.Error, at dataset.Position) *dataset.Error {
	e.File, e.Line = at.File, at.Line
	return e
}

// cellsOf resolves a record and returns what its row holds.
func cellsOf[T dataset.Record](record T) (cells []cell, at dataset.Position, err error) {
	text := func(t dataset.Text) cell { return cell{text: t, set: true} }
	cells = make([]cell, len(fieldsOf[T]()))
	switch r := any(&record).(type) {
	case *dataset.Pair:
		at, err = r.At, r.Resolve()
		cells[prompt], cells[chosen], cells[rejected] = text(r.Prompt), text(r.Chosen), text(r.Rejected)
		if r.Margin != nil {
			cells[margin] = cell{number: *r.Margin, set: true}
		}
		if r.Ref != nil {
			cells[refChosen] = cell{number: r.Ref.Chosen, set: true}
			cells[refRejected] = cell{number: r.Ref.Rejected, set: true}
			cells[fingerprint] = cell{text: dataset.Text{Plain: string(r.Ref.Fingerprint)}, set: r.Ref.Fingerprint != ""}
		}
	case *dataset.Unpaired:
		at, err = r.At, r.Resolve()
		cells[prompt], cells[completion] = text(r.Prompt), text(r.Completion)
		cells[label] = cell{truth: r.Label, set: true}
	case *dataset.PromptOnly:
		at, err = r.At, r.Resolve()
		cells[prompt] = text(r.Prompt)
	}
	return cells, at, err
}
