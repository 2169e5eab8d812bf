// SPDX-License-Identifier: Apache-2.0

import GoodwareIndex
import Signatures

/// The queries of a goodware index that ranking candidates needs, as closures so that tests can stand in for an index.
struct GoodwareRarity {
    let absentWindows: ([UInt8]) -> [Bool]
    let surprise: ([UInt8]) -> Double

    init(absentWindows: @escaping ([UInt8]) -> [Bool], surprise: @escaping ([UInt8]) -> Double) {
        self.absentWindows = absentWindows
        self.surprise = surprise
    }

    init(_ index: GoodwareIndex) {
        self.init(absentWindows: index.absentWindows(in:), surprise: { index.surprise(of: $0) })
    }

    /// Whether one of the fixed runs holds a window that is proven absent.
    func provesAbsence(of tokens: [Signature.Token]) -> Bool {
        tokens.contains { token in
            token.fixedRuns.contains { $0.count >= GoodwareIndex.windowLength && absentWindows(Array(token.bytes[$0])).contains(true) }
        }
    }
}
