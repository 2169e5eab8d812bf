// SPDX-License-Identifier: Apache-2.0

/// The input that costs a reader, or a strategy of signatures, the most, at any size; and what it may cost.
///
/// Others choose these inputs: captured traffic, samples, files, forwarded signatures. So each cost is stated for a byte of
/// input and may not grow with the size. Counted steps are bounded rather than seconds: the same input has the same count on
/// every machine. Seconds are printed, and bounded so widely that only a cost of another order breaks the bound.
struct WorstCase: Sendable {
    /// An input, ready to be read.
    struct Input {
        /// In bytes: what the costs are divided by.
        var bytes: Int
        /// Reads it.
        ///
        /// Returns the steps that it took, as the reader itself counts them (bytes through filters, comparisons, places that were
        /// kept); `nil` where it counts none.
        var run: () throws -> Int?
    }

    /// Its name for `--only`.
    var name: String
    /// The input, and who reads it, in a few words.
    var what: String
    /// In bytes, about, ascending: the input is read at each of these sizes.
    var sizes = [256 << 10, 1 << 20]
    /// For a byte of input; `nil` where no steps are counted.
    var maxSteps: Double?
    /// In bytes, for a byte of input, beyond ``fixedMemory``.
    var maxMemory: Double
    /// In bytes: buffers and tables that don't depend on the input.
    var fixedMemory = 32 << 20
    /// In nanoseconds of processor time for a byte of input, beyond ``fixedSeconds``: far more than it takes.
    var maxNanoseconds = 20_000.0
    /// In seconds of processor time.
    var fixedSeconds = 5.0
    /// Makes an input of about so many bytes. Files go into the folder.
    var make: @Sendable (_ size: Int, _ scratch: FuzzScratch) throws -> Input
}

/// What reading one input cost.
struct WorstCaseCost: Codable {
    /// In bytes, of the input.
    var bytes: Int
    var steps: Int?
    /// Of processor time, in all threads.
    var nanoseconds: Int
    /// In bytes: the peak of the memory in use while the input was read, beyond what was in use before.
    var memory: Int
}

extension WorstCase {
    /// The bounds that a cost breaks, in words; empty if it keeps them.
    func broken(by cost: WorstCaseCost) -> [String] {
        let bytes = Double(max(1, cost.bytes))
        var broken: [String] = []
        if let maxSteps {
            let steps = Double(cost.steps ?? .max) / bytes
            if steps > maxSteps { broken.append("more than \(maxSteps) steps a byte") }
        }
        if Double(cost.memory) > Double(fixedMemory) + maxMemory * bytes {
            broken.append("more memory than \(fixedMemory >> 20) MiB and \(maxMemory) bytes a byte")
        }
        return broken
    }

    /// In seconds of processor time: at this the reading is ended.
    func maxSeconds(bytes: Int) -> Double { fixedSeconds + maxNanoseconds * Double(bytes) / 1e9 }
}
