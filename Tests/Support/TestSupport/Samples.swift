// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Values that tests of several modules start from. They are inert: the "code" is data that is never run.
public enum Samples {
    /// 54 bytes with a caller's address 52 bytes in, as published with the design's caller-window vector.
    public static let code = ExtractedCode(
        base: 0x142,
        bytes: Hex.decode(
            "8b45b48d0c408d1488c1e20401c2c1e20829c28d049001d88945b46a108d45b05031c9516681f17801518d4503508b45ac50ffd6ebca")!,
        isWholeRegion: true)
    public static let callersAddress: UInt64 = 0x176
    public static let callerWindow = Hex.decode("049001d88945b46a108d45b05031c9516681f17801518d4503508b45ac50ffd6")!

    /// A packet of a UDP service on port 1434 that was caught sending itself.
    public static func packet(id: String = "00112233445566778899aabbccddeeff", hostID: String? = "host-1") -> ExtractedPacket {
        ExtractedPacket(
            id: id, architecture: .x86_32, callersAddress: callersAddress, content: .code(code),
            evidence: [
                Evidence(kind: .directCall, detail: "0x176 lies in rwxp anonymous memory"),
                Evidence(kind: .sendsItself, detail: "the caller lies in the send buffer"),
            ],
            action: .blocked, parameters: parameters(hostID: hostID))
    }

    public static func parameters(hostID: String? = "host-1") -> Parameters {
        Parameters(
            call: .sendto,
            arguments: CallArguments(
                peer: SocketEndpoint(address: "192.0.2.7", port: 1434), transport: .udp, payloadLength: 376),
            region: MemoryRegion(
                start: 0x142, end: 0x178, protection: [.read, .write, .execute], backing: .anonymous),
            process: ProcessParameters(
                processID: 4711, threadID: 4712, name: "sample-service",
                executable: Executable(
                    path: "/usr/sbin/sample-service", sha256: String(repeating: "ab", count: 32), package: "sample",
                    packageVersion: "1.2-3"),
                parents: [.init(processID: 1, name: "init", executablePath: "/sbin/init")], userID: 33,
                userName: "www-data",
                listening: [.init(transport: .udp, local: SocketEndpoint(address: "0.0.0.0", port: 1434))]),
            system: SystemParameters(
                hostName: "sample.example", hostID: hostID, kernelRelease: "6.1.0-1-amd64", distribution: "debian",
                distributionVersion: "12.11", libcVersion: "glibc 2.36"),
            timeMilliseconds: 1_700_000_000_000)
    }
}
