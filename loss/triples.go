package loss

// Triples is a batch of preference pairs with a third reply for each prompt, one to imitate.
type Triples struct {
	Pairs
	Gold    []float64 // log π(y*|x)
	GoldLen []int     // |y*| in tokens, for means; nil otherwise
}

// TriplesOut receives what an objective makes of Triples.
type TriplesOut struct {
	PairsOut
	Gold []float64 // ∂ Σ Loss / ∂ Triples.Gold[i]
}

// tripled evaluates an engine on the pairs and adds α·(−log π(y*)), or its mean per token.
func tripled[S Score, L Link](e margined[S, L], dst TriplesOut, b Triples, alpha float64, over LogRatioOf) (Total, error) {
	n := len(b.Chosen)
	if len(b.Gold) != n || over == Mean && e.err == nil && len(b.GoldLen) != n {
		panic(badLength)
	}
	sized(n, dst.Gold)
	sized(n, b.GoldLen)
	t, err := e.eval(dst.PairsOut, b.Pairs)
	if err != nil {
		return Total{}, err
	}
	gold := Pairs{Chosen: b.Gold, ChosenLen: b.GoldLen, Weight: b.Weight}
	clear(dst.Gold)
	if err := addNLL(PairsOut{Loss: dst.Loss, Chosen: dst.Gold}, &t, gold, alpha, over); err != nil {
		return Total{}, goldError(err)
	}
	return t, nil
}

// goldError names the fields of Triples in an error of addNLL.
func goldError(err error) error {
	in, ok := err.(*InputError)
	if !ok {
		return err
	}
	field := "Gold"
	if in.Field == "ChosenLen" {
		field = "GoldLen"
	}
	return &InputError{field, in.Index, in.Value, in.Reason}
}
