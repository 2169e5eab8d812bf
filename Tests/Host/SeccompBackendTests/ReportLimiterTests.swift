// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@testable import SeccompBackend

@Suite struct ReportLimiterTests {
    private static func candidate(
        _ address: UInt64 = 2, process: Int32 = 1, points: Int = 100, code: Int = 7
    ) -> ReportLimiter.Candidate {
        .init(key: ReportKey(thread: process, callersAddress: address, kind: .connect), process: process, points: points, code: code)
    }

    @Test func `the same caller with the same code is reported a few times a window`() {
        var limiter = ReportLimiter()
        let allowed = (0..<100).count { _ in limiter.allows(Self.candidate(), nowMilliseconds: 5) }
        #expect(allowed == ReportLimiter.maxReportsPerCaller)
        let another = limiter.allows(Self.candidate(9), nowMilliseconds: 6)
        let later = limiter.allows(Self.candidate(), nowMilliseconds: 5 + ReportLimiter.windowMilliseconds)
        let setBack = limiter.allows(Self.candidate(), nowMilliseconds: 0)
        #expect(another && later && setBack)
    }

    @Test func `other code at the same address is another report`() {
        var limiter = ReportLimiter()
        for _ in 0..<100 { _ = limiter.allows(Self.candidate(code: 1), nowMilliseconds: 5) }
        let other = limiter.allows(Self.candidate(code: 2), nowMilliseconds: 5)
        #expect(other)
    }

    @Test(arguments: [
        // Light evidence, and a whole attack's evidence with code that is known.
        (40, false), (100, true), (10, false),
    ])
    func `noise does not suppress a whole attack with new code`(points: Int, isKnown: Bool) {
        var limiter = ReportLimiter()
        let noise = (0..<5000).count {
            limiter.allows(Self.candidate(UInt64($0), points: points, code: isKnown ? 1 : $0), nowMilliseconds: 5)
        }
        #expect((ReportLimiter.maxLightReports...ReportLimiter.maxLightReports + 1).contains(noise))
        let bySame = limiter.allows(Self.candidate(9999, code: -1), nowMilliseconds: 6)
        let byAnother = limiter.allows(Self.candidate(9999, process: 2, code: -2), nowMilliseconds: 6)
        #expect(bySame && byAnother)
    }

    @Test func `a thousand pieces of new code are all reported`() {
        var limiter = ReportLimiter()
        let allowed = (0..<1000).count { limiter.allows(Self.candidate(UInt64($0), code: $0), nowMilliseconds: 5) }
        #expect(allowed == 1000)
    }

    @Test func `a process that floods leaves room for another's first report`() {
        var limiter = ReportLimiter()
        var allowed = 0
        for process: Int32 in 1...5 {
            allowed += (0..<5000).count {
                limiter.allows(Self.candidate(UInt64($0), process: process, code: Int(process) * 10_000 + $0), nowMilliseconds: 5)
            }
        }
        #expect(allowed <= ReportLimiter.maxReports - ReportLimiter.reserve + 5)
        let first = limiter.allows(Self.candidate(1, process: 99, code: -1), nowMilliseconds: 6)
        let second = limiter.allows(Self.candidate(2, process: 99, code: -2), nowMilliseconds: 6)
        #expect(first && !second)
    }

    @Test func `all reports of a window are bounded, whoever makes them`() {
        var limiter = ReportLimiter()
        let allowed = (0..<9000).count {
            limiter.allows(Self.candidate(UInt64($0), process: Int32($0 + 1), code: $0), nowMilliseconds: 5)
        }
        #expect(allowed == ReportLimiter.maxReports)
    }
}
