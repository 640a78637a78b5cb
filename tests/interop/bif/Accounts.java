import cn.bif.model.request.BIFAccountGetInfoRequest;
import cn.bif.model.request.BIFAccountGetMetadatasRequest;
import cn.bif.model.request.BIFAccountGetNonceRequest;
import cn.bif.model.request.BIFAccountPrivRequest;
import cn.bif.model.request.BIFAccountSetMetadatasRequest;
import cn.bif.model.request.BIFAccountSetPrivilegeRequest;
import cn.bif.model.request.BIFCreateAccountRequest;
import cn.bif.model.response.BIFAccountSetMetadatasResponse;
import cn.bif.model.response.BIFAccountSetPrivilegeResponse;
import cn.bif.model.response.BIFCreateAccountResponse;
import cn.bif.model.response.result.data.BIFSigner;
import cn.bif.model.response.result.data.BIFTypeThreshold;

/** Calls of the account service: the sender's account, and `first`, which is created. */
final class Accounts {
    static final int SET_METADATA = 4;

    private Accounts() {}

    static void run(Session session) throws Exception {
        read(session);
        create(session);
        metadata(session);
        privilege(session);
    }

    private static void read(Session session) throws Exception {
        info(session, "account", session.sender.address, session.domain);
        info(session, "account-missing", session.first.address, session.domain);
        info(session, "account-unknown-domain", session.sender.address, 99);
        info(session, "account-negative-domain", session.sender.address, -1);
        info(session, "account-invalid", "did:bid:ef", session.domain);
        session.balance("balance", session.sender.address);
        session.balance("balance-missing", session.first.address);
        BIFAccountGetNonceRequest request = new BIFAccountGetNonceRequest();
        request.setAddress(session.sender.address);
        request.setDomainId(session.domain);
        session.say("nonce", session.sdk.getBIFAccountService().getNonce(request));
        request.setAddress(session.first.address);
        session.say("nonce-missing", session.sdk.getBIFAccountService().getNonce(request));
        priv(session, "privilege", session.sender.address);
        metadatas(session, "metadata-none", session.sm2.address, null);
    }

    private static void create(Session session) throws Exception {
        create(session, "create", session.first.address, 1_000_000_000L);
        session.balance("create:balance", session.first.address);
        info(session, "create:account", session.first.address, session.domain);
        create(session, "create-again", session.first.address, 1L);
        create(session, "create-nothing", session.second.address, 0L);
        create(session, "create-self", session.sender.address, 1L);
    }

    private static void metadata(Session session) throws Exception {
        String owner = session.first.address;
        metadatas(session, "metadata-missing-account", session.second.address, null);
        write(session, "metadata-write", "名称", "武汉", 0L, null);
        metadatas(session, "metadata-read", owner, "名称");
        write(session, "metadata-update", "名称", "汉阳", 2L, null);
        write(session, "metadata-stale", "名称", "其他", 2L, null);
        write(session, "metadata-second", "k", "v", 1L, null);
        metadatas(session, "metadata-all", owner, null);
        metadatas(session, "metadata-absent", owner, "absent");
        write(session, "metadata-delete", "k", "v", 1L, true);
        write(session, "metadata-delete-again", "k", "v", 0L, true);
        metadatas(session, "metadata-after", owner, null);
        write(session, "metadata-long-key", "k".repeat(1025), "v", 0L, null);
    }

    private static void privilege(Session session) throws Exception {
        BIFAccountSetPrivilegeRequest request = new BIFAccountSetPrivilegeRequest();
        request.setSenderAddress(session.first.address);
        request.setPrivateKey(session.first.privateKey);
        request.setDomainId(session.domain);
        request.setMasterWeight("2");
        request.setTxThreshold("1");
        request.setSigners(new BIFSigner[] {new BIFSigner(session.sm2.address, 1L)});
        request.setTypeThresholds(new BIFTypeThreshold[] {new BIFTypeThreshold(SET_METADATA, 3L)});
        BIFAccountSetPrivilegeResponse answer =
                session.sdk.getBIFAccountService().setPrivilege(request);
        session.say("privilege-set", answer);
        session.confirm("privilege-set", answer.getResult().getHash());
        priv(session, "privilege-read", session.first.address);
        // The master key alone has weight 2, and metadata wants 3 from now on.
        write(session, "metadata-low-weight", "k", "v", 0L, null);
        request.setMasterWeight("-1");
        session.say("privilege-negative", session.sdk.getBIFAccountService().setPrivilege(request));
    }

    private static void info(Session session, String step, String address, int domain)
            throws Exception {
        BIFAccountGetInfoRequest request = new BIFAccountGetInfoRequest();
        request.setAddress(address);
        request.setDomainId(domain);
        session.say(step, session.sdk.getBIFAccountService().getAccount(request));
    }

    private static void priv(Session session, String step, String address) throws Exception {
        BIFAccountPrivRequest request = new BIFAccountPrivRequest();
        request.setAddress(address);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFAccountService().getAccountPriv(request));
    }

    private static void metadatas(Session session, String step, String address, String key)
            throws Exception {
        BIFAccountGetMetadatasRequest request = new BIFAccountGetMetadatasRequest();
        request.setAddress(address);
        request.setKey(key);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFAccountService().getAccountMetadatas(request));
    }

    private static void create(Session session, String step, String address, long balance)
            throws Exception {
        BIFCreateAccountRequest request = new BIFCreateAccountRequest();
        request.setSenderAddress(session.sender.address);
        request.setPrivateKey(session.sender.privateKey);
        request.setDestAddress(address);
        request.setInitBalance(balance);
        request.setRemarks("create account");
        request.setDomainId(session.domain);
        BIFCreateAccountResponse answer = session.sdk.getBIFAccountService().createAccount(request);
        session.say(step, answer);
        if (answer.getErrorCode() == 0) {
            session.confirm(step, answer.getResult().getHash());
        }
    }

    private static void write(
            Session session, String step, String key, String value, Long version, Boolean delete)
            throws Exception {
        BIFAccountSetMetadatasRequest request = new BIFAccountSetMetadatasRequest();
        request.setSenderAddress(session.first.address);
        request.setPrivateKey(session.first.privateKey);
        request.setDomainId(session.domain);
        request.setKey(key);
        request.setValue(value);
        request.setVersion(version);
        request.setDeleteFlag(delete);
        BIFAccountSetMetadatasResponse answer =
                session.sdk.getBIFAccountService().setMetadatas(request);
        session.say(step, answer);
        if (answer.getErrorCode() == 0) {
            session.confirm(step, answer.getResult().getHash());
        }
    }
}
