/** Stands for the codecs of other datasets, which the page does not contain. */
export default {
  fromConfig(): never {
    throw new Error("expected a codec of tersgen's datasets, got one that this page cannot decode");
  },
};
