import cn.bif.module.encryption.key.PrivateKeyManager;
import cn.bif.module.encryption.key.PublicKeyManager;
import cn.bif.module.encryption.model.KeyType;
import cn.bif.utils.hex.HexFormat;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** Keys, addresses and signatures, which need no node. */
final class Keys {
    private static final byte[] MESSAGE = "武汉".getBytes(StandardCharsets.UTF_8);

    /** Signatures that are tried before one counts as failed. */
    static final int TRIES = 5;

    private Keys() {}

    static void run(Session session) throws Exception {
        session.say("key-ed25519", describe(new PrivateKeyManager(session.sender.privateKey)));
        session.say("key-sm2", describe(new PrivateKeyManager(session.sm2.privateKey)));
        session.say("key-made-ed25519", describe(new PrivateKeyManager(KeyType.ED25519)));
        session.say("key-made-sm2", describe(new PrivateKeyManager(KeyType.SM2)));
        session.say("address-valid", PublicKeyManager.isAddressValid(session.sender.address));
        session.say("address-invalid", PublicKeyManager.isAddressValid(session.sender.address + "1"));
    }

    private static Map<String, Object> describe(PrivateKeyManager key) throws Exception {
        byte[] signature = sign(MESSAGE, key.getEncPrivateKey());
        String publicKey = key.getEncPublicKey();
        Map<String, Object> said = new LinkedHashMap<>();
        said.put("private", key.getEncPrivateKey());
        said.put("public", publicKey);
        said.put("address", PrivateKeyManager.getEncAddress(publicKey));
        said.put("subAddress", PrivateKeyManager.getEncAddress(publicKey, "hany"));
        said.put("signature", HexFormat.byteToHex(signature));
        said.put("verified", PublicKeyManager.verify(MESSAGE, signature, publicKey));
        return said;
    }

    /**
     * Signs, again if need be: the SDK fails on an SM2 signature of which a number has a leading
     * zero octet, about one in a hundred.
     */
    static byte[] sign(byte[] message, String privateKey) {
        for (int tries = 1; ; tries++) {
            try {
                return PrivateKeyManager.sign(message, privateKey);
            } catch (ArrayIndexOutOfBoundsException failure) {
                if (tries == TRIES) {
                    throw failure;
                }
            }
        }
    }
}
