// SPDX-License-Identifier: Apache-2.0

/// Finds the word that a mistyped one stands for.
public enum SimilarWord {
    /// More letters than that are no slip of the fingers.
    private static let maxDistance = 2

    /// The one of some words that a mistyped one probably stands for: it differs by two letters at most, and by half of its own. Upper
    /// and lower case are the same.
    public static func similar(to word: String, among words: [String]) -> String? {
        let typed = word.lowercased()
        let ranked = words.filter { abs($0.count - word.count) <= maxDistance }
            .map { (word: $0, distance: distance(typed, $0.lowercased())) }.sorted { $0.distance < $1.distance }
        guard let best = ranked.first, best.distance <= min(maxDistance, best.word.count / 2) else { return nil }
        return best.word
    }

    /// How many letters have to be put in, left out, exchanged, or swapped with their neighbour (optimal string alignment).
    public static func distance(_ one: String, _ other: String) -> Int {
        let (a, b) = (Array(one), Array(other))
        var rows = [Array(0...b.count)]
        for i in 1..<(a.count + 1) {
            var row = [i]
            for j in 1..<(b.count + 1) {
                var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
