// Package gbdt trains, applies and explains gradient-boosted trees:
// labelled rows -> Model -> margins, probabilities, contributions.
//
// A Model is an XGBoost model. [Model.WriteJSON] and [Model.WriteUBJ] write
// files that XGBoost 1.7 and 3.x both load, [Read] reads theirs, and the margins
// are XGBoost's to the last bit. The parameters carry XGBoost's names and
// defaults. The package depends on nothing but the standard library.
//
// # Training
//
// [Train] grows trees over histograms. Each column is cut into at most 256 bins
// near its quantiles, so that a value is one byte; of columns that are mostly missing
// only what is there is summed. Missing values are NaN and take the side of each split
// that served the training rows best. Categories ([Matrix.Categorical]) are split one
// against the rest if they are few, else many against many, as XGBoost does.
//
// The model is a function of the data, the parameters and the seed: the number
// of goroutines and the processor change nothing, not one byte. Histograms are
// sums of integers, which no order of addition alters; every floating-point
// product is rounded before it is added, so that no compiler fuses the two; exp
// and log are the package's own.
//
// # Rounding of gradients
//
// Histograms sum gradients rounded to 16 bits and hessians to 16 bits, relative
// to the largest of the round. Rounding is up or down at random with a mean of no
// error, from a hash of seed, round and row, so that a million gradients too small
// for the last bit still weigh what they should. The partial sums of at most
// 65,536 rows share one 64-bit word; they are added to 64-bit sums before they can
// overflow, so that precision does not fall with the number of rows. The values of
// the leaves are computed again from the gradients as they were. Set
// [Params.FullPrecision] to sum gradients of 32 bits instead, at half the speed.
//
// # Prediction
//
// [Model.Margin], [Model.Predict] and [Model.Contributions] work on one row and
// do not allocate; [Model.Margins], [Model.Predictions] and [Model.Explanations]
// take many rows and a number of goroutines. A Model does not change after it is
// made: any number of goroutines may share it.
//
// All of this is Go but for two pieces of assembly on amd64, which change no result:
// an instruction that fetches memory ahead, and exp of two numbers at a time, by the
// same operations as for one. Scoring many rows reads two arrays without checks of
// bounds, which the model's own checks make superfluous.
package gbdt
