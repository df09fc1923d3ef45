/* What is computed of two runs in the page: on which images they differ, and how surely. The same
   as ferutils/claims/metrics.py computes; tests set the two beside each other. */
"use strict";

report.statistics = {
  /** Labels out of the text that ferutils.report.interactive.pack makes: two in a character. */
  unpack(text, count) {
    const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const labels = [...text].flatMap((character) => {
      const code = characters.indexOf(character);
      return [code >> 3, code & 7];
    });
    return labels.slice(0, count);
  },

  /** The exact McNemar test: p of so many images right in one run only, and in the other only.
      A two-sided binomial test of equal chances; summed by logarithms, which do not overflow. */
  mcnemar(alone, otherAlone) {
    const all = alone + otherAlone;
    if (alone === otherAlone) return 1;
    let logarithm = -all * Math.LN2; // of the probability of 0 among all
    let tail = Math.exp(logarithm);
    for (let count = 1; count <= Math.min(alone, otherAlone); count += 1) {
      logarithm += Math.log((all - count + 1) / count);
      tail += Math.exp(logarithm);
    }
    return Math.min(1, 2 * tail);
  },

  /** The difference of two accuracies on the same images, with the interval of the paired t-test:
      each image counts 1, 0 or -1. */
  difference(alone, otherAlone, images, quantile) {
    const value = (alone - otherAlone) / images;
    const variance = (alone + otherAlone - images * value * value) / (images - 1);
    const half = quantile * Math.sqrt(variance / images);
    return { value, low: value - half, high: value + half };
  },
};
