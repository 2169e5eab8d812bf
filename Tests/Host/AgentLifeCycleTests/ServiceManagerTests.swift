// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentLifeCycle

/// Messages and addresses of the service manager.
@Suite struct ServiceManagerTests {
    @Test func `messages are as systemd reads them`() {
        #expect(ServiceManager.Message.ready.lines == "READY=1\n")
        #expect(ServiceManager.Message.status("a\nMAINPID=1\r\nb").lines == "STATUS=a MAINPID=1 b\n")
        #expect(ServiceManager.Message.reloading(monotonicMicroseconds: 5).lines == "RELOADING=1\nMONOTONIC_USEC=5\n")
        #expect(ServiceManager.address("/run/x") == Array("/run/x".utf8))
        #expect(ServiceManager.address("@x") == [0, UInt8(ascii: "x")])
        for path in ["", "/", "relative", "vsock:2:3", "/" + String(repeating: "x", count: 107)] {
            #expect(ServiceManager.address(path) == nil, "\(path)")
        }
        func watchdog(_ microseconds: String?, _ process: String?) -> Double? {
            ServiceManager(socketPath: "/x", watchdogMicroseconds: microseconds, watchdogProcess: process, ownProcess: 7)?.watchdogSeconds
        }
        #expect(watchdog("3000000", nil) == 3)
        #expect(watchdog("3000000", "7") == 3)
        #expect(watchdog("3000000", "8") == nil)
        #expect(watchdog("0", nil) == nil && watchdog("x", nil) == nil && watchdog(nil, nil) == nil)
        #expect(ServiceManager(socketPath: nil, watchdogMicroseconds: nil, watchdogProcess: nil, ownProcess: 7) == nil)
    }
}
