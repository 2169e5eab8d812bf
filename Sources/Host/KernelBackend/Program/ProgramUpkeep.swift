// SPDX-License-Identifier: Apache-2.0

import CKernelProgram

/// What the kernel program can't do for itself while it runs: it learns when the wall clock was set, and gets its marks in order again once
/// there is room for them.
struct ProgramUpkeep {
    /// A difference of the wall clock that is passed on.
    private static let minClockChange: UInt64 = 1_000_000
    private static let interval: Duration = .seconds(1)
    /// The shortest time between two looks at all processes.
    private static let minRecoveryInterval: Duration = .seconds(10)

    private var bootTime = BootClock.start()
    private var lastLook = ContinuousClock.now
    private var lastRecovery: ContinuousClock.Instant?
    /// Marks without room that the operator was told of, and those that were there before the last recovery.
    private var told: UInt64 = 0
    private var recovered: UInt64 = 0

    /// Does what there is to do, at most once a second. Returns what an operator should know.
    ///
    /// - Parameter policy: the policy in force, with the clock's present time.
    mutating func work(on program: LoadedProgram, policy: () -> epitope_policy) -> [KernelBackend.Notice] {
        let now = ContinuousClock.now
        guard now - lastLook >= Self.interval else { return [] }
        lastLook = now
        let start = BootClock.start()
        if max(start, bootTime) - min(start, bootTime) > Self.minClockChange, (try? program.setPolicy(policy())) != nil { bootTime = start }
        return recoverMarks(program, now)
    }

    private mutating func recoverMarks(_ program: LoadedProgram, _ now: ContinuousClock.Instant) -> [KernelBackend.Notice] {
        let count = program.counters[Int(EPITOPE_COUNT_MARKS_FULL.rawValue)]
        guard count > recovered else { return [] }
        var notices: [KernelBackend.Notice] = []
        if count > told {
            notices.append(.marksWithoutRoom(count: count - told))
            told = count
        }
        if let lastRecovery, now - lastRecovery < Self.minRecoveryInterval { return notices }
        lastRecovery = now
        guard program.hasRoomForMarks, program.recoverMarks() else { return notices }
        // What overflowed meanwhile is the next turn's.
        recovered = count
        if program.counters[Int(EPITOPE_COUNT_MARKS_FULL.rawValue)] == count { notices.append(.marksRecovered) }
        return notices
    }
}
